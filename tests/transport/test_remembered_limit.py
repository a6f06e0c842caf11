"""A learned limit outlives the process in a file, and the file is never in the way of a request."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.transport.rate_limiters import RateLimiters

pytestmark = pytest.mark.anyio


def _learned(path: Path, rate: float, account: str = "key") -> RateLimiters:
    """Return limits of an account that have learned a rate in an earlier process."""
    pacing = RateLimiters(Adaptive(remember=path), account)
    pacing.restore({"learned_rate": rate, "learned_window": 60.0})
    return pacing


def _opened(path: Path, account: str = "key") -> float | None:
    pacing = RateLimiters(Adaptive(remember=path), account)
    pacing.open()
    return pacing.snapshot().learned_rate


async def test_the_next_process_starts_with_the_learned_limit(tmp_path: Path) -> None:
    """Each account has its own entry, under a hash, in a file that only the user can read."""
    path = tmp_path / "state" / "limits.json"
    await _learned(path, 7.5).aclose()
    await _learned(path, 2.5, "other").aclose()
    assert (_opened(path), _opened(path, "other"), _opened(path, "third")) == (7.5, 2.5, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "other" not in path.read_text()
    assert [child.name for child in path.parent.iterdir()] == [path.name]


async def test_a_client_that_has_learned_nothing_keeps_the_entry(tmp_path: Path) -> None:
    """A short run without a 429 says nothing about the limit; a limit learned here is not replaced by an older one."""
    path = tmp_path / "limits.json"
    await _learned(path, 7.5).aclose()
    await RateLimiters(Adaptive(remember=path), "key").aclose()
    assert _opened(path) == 7.5
    own = _learned(path, 9.0)
    own.open()
    assert own.snapshot().learned_rate == 9.0


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"x": 1}'])
async def test_a_file_that_cannot_be_used_costs_a_cold_start_only(tmp_path: Path, content: str) -> None:
    """Damaged contents are ignored, and replaced at the end."""
    path = tmp_path / "limits.json"
    path.write_text(content)
    assert _opened(path) is None
    await _learned(path, 7.5).aclose()
    assert _opened(path) == 7.5


async def test_a_folder_that_cannot_be_written_does_not_disturb_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The client closes, and a warning names the file."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "limits.json"
    await _learned(path, 7.5).aclose()
    assert str(path) in caplog.text


@pytest.mark.parametrize("pacer", [Adaptive(), FixedRate("1/s")])
async def test_only_an_adaptive_pacer_with_a_path_remembers(pacer: Pacer) -> None:
    """Other pacers neither read nor write a file."""
    pacing = RateLimiters(pacer, "key")
    pacing.open()
    await pacing.aclose()
    assert pacing.snapshot().sent == 0
