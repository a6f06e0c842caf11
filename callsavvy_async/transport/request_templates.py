"""The URLs of a client's requests, and their common header fields."""

from __future__ import annotations

from callsavvy_async._version import __version__
from callsavvy_async.config import Config
from callsavvy_async.wire.inflate import ACCEPTED_ENCODINGS
from callsavvy_async.wire.request_template import RequestTemplate


class RequestTemplates(dict[str, RequestTemplate]):
    """Request templates by resource, each built at the first request to it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._base_url = config.base_url
        self._headers = (
            ("host", _host(config.base_url)),
            ("public-key", config.credentials.public_key),
            ("private-key", config.credentials.private_key),
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("accept-encoding", ACCEPTED_ENCODINGS),
            ("user-agent", f"callsavvy-async/{__version__}"),
        )

    def __missing__(self, resource: str) -> RequestTemplate:
        template = self[resource] = RequestTemplate.of(f"{self._base_url}/{resource}", self._headers)
        return template


def _host(base_url: str) -> str:
    return base_url.split("://", 1)[1].split("/", 1)[0]
