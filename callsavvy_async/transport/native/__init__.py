"""The native HTTP/1.1 stack on asyncio; see README.md."""
