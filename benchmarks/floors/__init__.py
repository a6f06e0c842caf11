"""The product beside floors that do not move: a bare protocol, bare ASGI, csv into SQLite, COPY, ``import asyncio``."""
