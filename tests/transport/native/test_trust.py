"""Whom to trust: told by the kind of a setting; a path is read or refused."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from callsavvy_async import ConfigurationError
from callsavvy_async.transport.native.trust import Trust


def test_false_alone_verifies_nothing() -> None:
    """A context of one's own is used as it is."""
    anybody = Trust(verify=False).load()
    assert (anybody.verify_mode, anybody.check_hostname) == (ssl.CERT_NONE, False)
    own = ssl.create_default_context()
    assert Trust(own).load() is own


@pytest.mark.parametrize("verify", [None, "", 0, 1, [], b"ca.pem"], ids=repr)
def test_no_other_value_switches_it_off(verify: Any) -> None:
    """What is false, and what is true, but neither False nor True is refused."""
    with pytest.raises(ConfigurationError, match="verify is"):
        Trust(verify)


@pytest.mark.parametrize("kind", [str, Path, os.fspath])
def test_a_path_is_read(kind: Any, tmp_path: Path, authority: trustme.CA) -> None:
    """Then nobody is trusted but the authorities in it."""
    pem = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(pem))
    trusted = Trust(kind(pem)).load()
    assert trusted.cert_store_stats()["x509_ca"] == 1
    assert trusted.verify_mode is ssl.CERT_REQUIRED


def test_a_directory_is_read(tmp_path: Path) -> None:
    """OpenSSL looks certificates up in it by hashes, and takes several directories."""
    (tmp_path / "9d66eef0.0").touch()
    for path in (str(tmp_path), f"{tmp_path}{os.pathsep}/nowhere"):
        assert Trust(path).load().verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("setting", ["verify", "SSL_CERT_FILE", "SSL_CERT_DIR"])
@pytest.mark.parametrize("broken", ["missing", "no certificate", "no hashes"])
def test_a_path_that_cannot_be_read(setting: str, broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the setting or variable, and the path; nobody is trusted instead."""
    path = tmp_path / broken
    if broken == "no certificate":
        path.write_text("-----BEGIN PRIVATE KEY-----")
    elif broken == "no hashes":
        path.mkdir()
        (path / "authority.pem").touch()
    if setting != "verify":
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv(setting, str(path))
    with pytest.raises(ConfigurationError) as caught:
        Trust(str(path) if setting == "verify" else True).load()
    assert str(caught.value).startswith(f"{setting} is {str(path)!r}")
