"""HTTP/1.1 over connections of the SDK's own, on asyncio; README.md says why."""
