"""The settings: keys and server of the command, and the proxy to it."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import anyio

from callsavvy_async.cli.access import Access, find_access
from callsavvy_async.cli.client import chosen_proxy
from callsavvy_async.cli.doctor.finding import Finding, ok, wrong, wrong_as_error
from callsavvy_async.config import BASE_URL, Config, Credentials
from callsavvy_async.errors import ConfigurationError
from callsavvy_async.redaction import mask_key
from callsavvy_async.settings import FROM_ENVIRONMENT, check_setting
from callsavvy_async.transport.backends.environment import find_proxy, proxy_for

PATIENCE = 5.0
"""Seconds for each step that waits for another machine."""
_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080


def examine_settings() -> tuple[Finding, Access | None, str | None]:
    """Return the finding, the access, and the server, each None if a fault hides it. A server needs no keys."""
    check = "settings"
    try:
        access = find_access()
    except ConfigurationError as error:
        return wrong_as_error(check, error), None, _usable_server()
    except OSError as error:
        return wrong_as_error(check, error, "make the file of the profile readable for you."), None, _usable_server()
    try:
        Config(credentials=access.credentials, base_url=access.base_url)
    except ConfigurationError as error:
        fix = f"correct CALLSAVVY_BASE_URL, or log in again; it must look like {BASE_URL}."
        return wrong_as_error(check, error, fix), None, None
    key = mask_key(access.credentials.public_key)
    return ok(check, f"{access.source}: key {key} at {access.base_url}"), access, access.base_url


def _usable_server() -> str | None:
    """Return the server that is known without keys; None if it is invalid."""
    server = os.environ.get("CALLSAVVY_BASE_URL") or BASE_URL
    try:
        return Config(credentials=Credentials.SANDBOX, base_url=server).base_url
    except ConfigurationError:
        return None


async def examine_proxy(server: str | None) -> tuple[Finding, bool]:
    """Return the finding, and whether requests go through a proxy."""
    check, given = "proxy", chosen_proxy.get()
    try:
        check_setting("proxy", given)
        url = proxy_for(server or BASE_URL) if given == FROM_ENVIRONMENT else given
    except ConfigurationError as error:
        return wrong_as_error(check, error), False
    if url is None:
        return ok(check, _unused(server or BASE_URL, given)), False
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, _SOCKS_PORT)
    shown = f"{parts.scheme}://{host}:{port}"
    try:
        with anyio.fail_after(PATIENCE):
            await (await anyio.connect_tcp(host, port)).aclose()
    except OSError:  # a TimeoutError is an OSError
        fix = "start the proxy, correct its host and port, or leave out --proxy and CALLSAVVY_PROXY."
        return wrong(check, f"{shown} does not accept connections", fix), True
    return ok(check, f"{shown} accepts connections"), True


def _unused(server: str, given: str | None) -> str:
    if given == FROM_ENVIRONMENT:
        return "none: the environment names no proxy for this server"
    found = find_proxy(server)
    return f"none; {found[0]} is used only with --proxy env" if found else "none"
