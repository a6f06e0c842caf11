"""The trusted TLS certificates, the same for all backends."""

from __future__ import annotations

import os
import ssl
import threading
from pathlib import Path
from typing import TypeAlias

from callsavvy_async.errors import ConfigurationError

Verify: TypeAlias = ssl.SSLContext | bool | str | os.PathLike[str]
"""True for the certificates of SSL_CERT_FILE or SSL_CERT_DIR, else certifi's, as in httpx; False to accept any; an
SSLContext; or the path of a PEM file, or of a directory of hashed ones, to trust only these."""

_HTTP_1 = "http/1.1"


class Trust:
    """The TLS settings of a client's connections.

    The default certificates take tens of milliseconds to load, so `load` reads them once, at its first call.

    Args:
        verify: See `Verify`.

    Raises:
        ConfigurationError: `verify` has another type, or its path cannot be read.
    """

    def __init__(self, verify: Verify) -> None:
        self._loading = threading.Lock()
        self._ssl_context: ssl.SSLContext | None = None
        if verify is False:
            self._ssl_context = _trust_any()
        elif isinstance(verify, ssl.SSLContext):
            self._ssl_context = verify
        elif isinstance(verify, str | os.PathLike):
            self._ssl_context = _trust_path("verify", os.fspath(verify))
        elif verify is not True:
            raise ConfigurationError(f"verify is {verify!r}; it must be True, False, an ssl.SSLContext or a path.")

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """SSLContext; None until it is loaded."""
        return self._ssl_context

    def load(self) -> ssl.SSLContext:
        """Return the SSLContext, after loading it if necessary. It reads files, so call it outside the event loop.

        Raises:
            ConfigurationError: SSL_CERT_FILE or SSL_CERT_DIR cannot be read.
        """
        with self._loading:  # several first exchanges may run at the same time
            if self._ssl_context is None:
                self._ssl_context = _trust_by_default()
            return self._ssl_context


def _trust_by_default() -> ssl.SSLContext:
    for variable in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = os.environ.get(variable)
        if path:
            return _trust_path(variable, path)
    import certifi  # noqa: PLC0415 - not needed with SSL_CERT_FILE

    return _speak_http_1(ssl.create_default_context(cafile=certifi.where()))


def _load_path(setting: str, path: str) -> ssl.SSLContext:
    folders = [folder for folder in path.split(os.pathsep) if Path(folder).is_dir()]  # OpenSSL takes several
    if not folders:
        return ssl.create_default_context(cafile=path)
    context = ssl.create_default_context(capath=path)
    if not any(_is_hashed(file.name) for folder in folders for file in Path(folder).iterdir()):
        raise ConfigurationError(
            f"{setting} is {path!r}, a directory without hashed certificates; run 'openssl rehash' on it."
        )
    return context


def _trust_path(setting: str, path: str) -> ssl.SSLContext:
    try:
        context = _load_path(setting, path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigurationError(
            f"{setting} is {path!r}, which cannot be read ({why}); it must be a PEM file, or a directory of them."
        ) from error
    return _speak_http_1(context)


def _is_hashed(name: str) -> bool:
    """Return True for a file name by which OpenSSL looks up a certificate, such as ``9d66eef0.0``."""
    stem, _, number = name.partition(".")
    return len(stem) == 8 and number.isdecimal()  # noqa: PLR2004 - hexadecimal digits of 32 bits


def _trust_any() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return _speak_http_1(context)


def _speak_http_1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols([_HTTP_1])
    return context
