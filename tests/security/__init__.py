"""The threat model, and its guards turned off."""
