"""Real PostgreSQL and Redis servers on loopback, for tests and long runs."""
