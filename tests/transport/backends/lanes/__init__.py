"""Tests of the lanes against servers that misbehave byte by byte."""
