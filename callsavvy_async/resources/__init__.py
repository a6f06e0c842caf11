"""The groups of the API: models, one row per endpoint, one method per row."""
