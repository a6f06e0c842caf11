"""One rate limit for several processes: who keeps the reservations, and who fetches slots from there."""
