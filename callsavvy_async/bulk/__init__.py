"""Bulk sends: many recipients, few calls, every outcome accounted for."""
