"""Bulk sends: many recipients, few requests, every outcome accounted for."""
