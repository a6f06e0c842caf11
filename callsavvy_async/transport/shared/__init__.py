"""One rate limit for several processes: who keeps the bookings, and who fetches slots from there."""
