"""Tests of bulk sends."""
