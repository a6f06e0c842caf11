"""A process of this machine that has ended is known to have; of any other nothing is claimed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callsavvy_async.campaigns.journal import processes
from callsavvy_async.campaigns.journal.processes import has_ended, identity

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as program:
        yield program
        program.kill()


def identity_of(program: subprocess.Popen[bytes]) -> str:
    place, _, began = identity().split()
    assert began
    return f"{place} {program.pid} {processes._stat(program.pid)[19]}"


def test_a_killed_process_has_ended(child: subprocess.Popen[bytes]) -> None:
    """As a zombie, before its parent looks, and afterwards; not before."""
    known = identity_of(child)
    assert not has_ended(known)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # leaves the zombie
    assert has_ended(known)
    child.wait()
    assert has_ended(known)


def test_of_what_is_elsewhere_or_alive_nothing_is_claimed(child: subprocess.Popen[bytes]) -> None:
    """Another boot, another namespace, nonsense, a suspended process, this one."""
    place, number, began = identity_of(child).split()
    child.kill()
    child.wait()
    boot, _, namespace = place.partition("/")
    assert has_ended(f"{boot}/{namespace} {number} {began}")
    assert not has_ended(f"x{boot}/{namespace} {number} {began}")
    assert not has_ended(f"{boot}/1 {number} {began}")
    for nonsense in ("", " ", place, f"{place} ", f"{place} x 1", f"{place} {number}", f"{place} {number} x y"):
        assert not has_ended(nonsense)
    assert not has_ended(identity())


def test_a_process_of_the_same_number_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of its beginning tells them apart. A process of another user may not be signalled, but is there."""
    place, number, began = identity().split()
    assert has_ended(f"{place} {number} {int(began) - 1}")

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert not has_ended(f"{place} {number} {began}")


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc there is no identity, and no process counts as ended."""
    known = identity()
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    assert identity() == ""
    assert not has_ended(known)
