"""Real PostgreSQL and Redis servers on loopback, started by the tests and by long runs themselves."""
