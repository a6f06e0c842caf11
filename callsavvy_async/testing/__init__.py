"""Testing helpers: a pytest plugin, assertions, strategies of hypothesis, settings of cassettes and virtual time."""
