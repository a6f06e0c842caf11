"""What CONTRIBUTING.md promises: a setting, a pacer, a backend or an event that is half done fails here."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import get_args

import callsavvy_async
from callsavvy_async import Callsavvy, policy
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.policy.shared import SharedPacer
from callsavvy_async.transport.backends.choose import _MAKERS, BackendName
from callsavvy_async.webhooks.events import EVENT_TYPES
from tests.conftest import EVERY_BACKEND
from tests.transport.test_limiter_properties import PACERS

ROOT = Path(__file__).parents[1]


def test_every_setting_is_in_the_table_of_settings() -> None:
    """The first column of the table is the settings, each once; the keys have a sentence of their own."""
    settings = {*inspect.signature(Callsavvy.__init__).parameters} - {
        "self",
        "credentials",
        "public_key",
        "private_key",
    }
    table = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8").partition("|---|")[2]
    listed = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ", 1)[0])]
    assert sorted(listed) == sorted(settings)


def test_every_pacer_is_played_and_public() -> None:
    """The properties of the limiter hold for every pacer of the package, and users can import it."""
    modules = [
        importlib.import_module(f"{policy.__name__}.{module.name}") for module in pkgutil.iter_modules(policy.__path__)
    ]
    methods = {name for name in vars(Pacer) if not name.startswith("_")}
    pacers = {
        kind
        for module in modules
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if not name.startswith("_") and all(hasattr(kind, method) for method in methods)
    } - {Pacer, SharedPacer}  # the protocol; and the one that needs a server, see tests/policy/test_shared.py
    assert {type(make()) for make in PACERS.values()} == pacers
    assert {pacer.__name__ for pacer in pacers} <= {*callsavvy_async.__all__}


def test_every_backend_is_tested_and_documented() -> None:
    """Every name that `backend=` takes is made, tested over sockets, and has its row in docs/backends.md."""
    assert {*get_args(BackendName)} == {*_MAKERS} == {"auto", *(backend for _, backend in EVERY_BACKEND)}
    table = (ROOT / "docs" / "backends.md").read_text("utf-8")
    assert not [name for name in {*_MAKERS} - {"auto"} if f'\n| `"{name}"` |' not in table]


def test_every_event_is_documented() -> None:
    """docs/how-to/webhooks.md names the class of every event."""
    text = (ROOT / "docs" / "how-to" / "webhooks.md").read_text("utf-8")
    assert {event.__name__ for event in EVENT_TYPES.values()} <= set(re.findall(r"\w+", text))
