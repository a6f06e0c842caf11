"""A learned limit outlives the process in a file, and the file is never in the way of a request."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from callsavvy_async import Callsavvy
from callsavvy_async.policy.adaptive import Adaptive
from callsavvy_async.policy.fixed import FixedRate
from callsavvy_async.policy.pacer import Pacer
from callsavvy_async.transport import remembered_limit
from callsavvy_async.transport.rate_limiters import RateLimiters
from callsavvy_async.transport.remembered_limit import MOST_ENTRIES, RememberedLimit
from testbed.limiter.servers import FixedWindow, Server, SlidingWindow, Tell, TokenBucket
from testbed.limiter.simulation import World, simulate

pytestmark = pytest.mark.anyio

API = "https://api.example/v1"


def _learned(path: Path, rate: float, account: str = "key", server: str = API) -> RateLimiters:
    """Return limits of an account that have learned a rate in an earlier process."""
    pacing = RateLimiters(Adaptive(remember=path), account, server=server)
    pacing.restore({"learned_rate": rate, "learned_window": 60.0})
    return pacing


def _opened(path: Path, account: str = "key", server: str = API) -> float | None:
    pacing = RateLimiters(Adaptive(remember=path), account, server=server)
    pacing.open()
    return pacing.snapshot().learned_rate


async def test_the_next_process_starts_with_the_learned_limit(tmp_path: Path) -> None:
    """Each account on each server has its own entry, under a hash, in a file that only the user can read."""
    path = tmp_path / "state" / "limits.json"
    await _learned(path, 7.5).aclose()
    await _learned(path, 2.5, "other").aclose()
    assert (_opened(path), _opened(path, "other"), _opened(path, "third")) == (7.5, 2.5, None)
    assert _opened(path, server="http://127.0.0.1:8080/v1") is None
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


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"x": 1}', "[" * 10_000, "\udcff"])
async def test_a_file_that_cannot_be_used_costs_a_cold_start_only(tmp_path: Path, content: str) -> None:
    """Damaged contents are ignored, and replaced at the end."""
    path = tmp_path / "limits.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
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


def test_a_full_disk_leaves_no_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The old entry stays, the copy is deleted, and the next change is tried again."""
    path = tmp_path / "limits.json"
    own = _learned(path, 7.5)
    own.save()
    with monkeypatch.context() as patch:
        patch.setattr(remembered_limit.os, "replace", _fail)
        own.restore({"learned_rate": 8.5})
        own.save()
    assert "No space left" in caplog.text
    assert (_opened(path), [child.name for child in tmp_path.iterdir()]) == (7.5, ["limits.json"])
    own.restore({"learned_rate": 9.5})
    own.save()
    assert _opened(path) == 9.5


def _fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("rate", [10**400, 1e-300, 1e300, "9", [], float("nan")])
def test_a_damaged_value_is_learned_again(tmp_path: Path, rate: object) -> None:
    """A rate that would stop requests for years, or none at all, is implausible."""
    path = tmp_path / "limits.json"
    _learned(path, 7.5).save()
    entry = {"learned_rate": rate, "learned_window": rate, "learned_in_flight": rate}
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), entry)))
    assert _opened(path) is None


async def test_the_last_writer_wins(tmp_path: Path) -> None:
    """Of two processes with one account, the last to end leaves its belief. One that has learned nothing writes nothing."""
    path = tmp_path / "limits.json"
    first, second, third = (
        _learned(path, 7.5),
        _learned(path, 9.5),
        RateLimiters(Adaptive(remember=path), "key", server=API),
    )
    for one in (second, first, third):
        await one.aclose()
    assert _opened(path) == 7.5


async def test_a_file_keeps_the_entries_written_last(tmp_path: Path) -> None:
    """Servers on ports of a single run cannot fill a disk."""
    path = tmp_path / "limits.json"
    path.write_text(json.dumps({f"old {n}": {} for n in range(2 * MOST_ENTRIES)}))
    await _learned(path, 7.5).aclose()
    kept = list(json.loads(path.read_text()))
    assert (len(kept), kept[-2]) == (MOST_ENTRIES, f"old {2 * MOST_ENTRIES - 1}")


def test_nothing_is_written_twice(tmp_path: Path) -> None:
    """A run saves with each heartbeat, and only a change is written."""
    path = tmp_path / "limits.json"
    own = _learned(path, 7.5)
    own.save()
    path.unlink()
    own.save()
    assert not path.exists()
    own.restore({"learned_rate": 8.0})
    own.save()
    assert _opened(path) == 8.0


# ------------------------------------------------------------------------------------------------- the default file


def test_the_default_file_of_campaigns_and_commands(tmp_path: Path) -> None:
    """It is used where the user has decided nothing, and not for servers of plain http, mocks, other files or False."""
    path, other = tmp_path / "limits.json", tmp_path / "other.json"
    _learned(path, 7.5).save()

    def begun(pacing: Adaptive | FixedRate, server: str = API) -> float | None:
        limits = RateLimiters(pacing, "key", server=server)
        limits.remember_in(path)
        limits.remember_in(other)  # the first file counts
        return limits.snapshot().learned_rate

    assert begun(Adaptive()) == 7.5
    assert begun(Adaptive(), "http://127.0.0.1:8080/v1") is None
    assert begun(Adaptive(), "") is None
    assert begun(Adaptive(remember=False)) is None
    assert begun(Adaptive(remember=other)) is None
    assert begun(FixedRate("3/s")) == 3.0


def test_a_client_names_its_server_unless_it_is_a_mock(tmp_path: Path, scripted: Callable[[], Callsavvy]) -> None:
    """The limit of an `httpx.MockTransport` under the API's address is not the API's."""
    path = tmp_path / "limits.json"
    real = Callsavvy(public_key="key", private_key="secret", base_url=API)
    real.pacing.restore({"learned_rate": 7.5})
    real.pacing.remember_in(path)
    real.pacing.save()
    assert _opened(path) == 7.5
    mock = scripted()
    mock.pacing.restore({"learned_rate": 7.5})
    mock.pacing.remember_in(tmp_path / "mock.json")
    mock.pacing.save()
    assert [child.name for child in tmp_path.iterdir()] == ["limits.json"]


# ------------------------------------------------------------------------------------------------- the second run

SERVERS: dict[str, Callable[[], Server]] = {
    "bucket 10/s, burst 20": lambda: TokenBucket(10, 20),
    "fixed 30 per 3 s": lambda: FixedWindow(30, 3),
    "sliding 100 per 10 s": lambda: SlidingWindow(100, 10),
    "bucket 40/s, Retry-After": lambda: TokenBucket(40, 40, Tell.RETRY_AFTER),
    "bucket 100/s": lambda: TokenBucket(100, 100),
    "bucket 0.7/s, burst 1": lambda: TokenBucket(0.7, 1),
    "bucket 20/s, burst 4": lambda: TokenBucket(20, 4),
    "fixed 120 per 3 s": lambda: FixedWindow(120, 3),
    "fixed 120 per 3 s, Retry-After": lambda: FixedWindow(120, 3, Tell.RETRY_AFTER),
    "sliding 40 per 1 s": lambda: SlidingWindow(40, 1),
    "sliding 40 per 1 s, Retry-After": lambda: SlidingWindow(40, 1, Tell.RETRY_AFTER),
}


def _run(path: Path, server: Server, seconds: float, seed: int, share: float = 1.0) -> tuple[int, float]:
    """Run a process that remembers; return its 429s in the first 40 s and the rate it reached in the second half."""
    pacer, limit = Adaptive(), RememberedLimit(path, "key", API)
    pacer.restore(limit.read())
    run = simulate(pacer, World(server, seconds=seconds, share=lambda _: share), seed=seed)
    limit.write(pacer.snapshot(seconds))
    return run.refused_between(0.0, 40.0), run.accepted_between(seconds / 2, seconds) / (seconds / 2)


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        *((name, 1) for name in list(SERVERS)[:3]),
        *(pytest.param(name, 4, marks=pytest.mark.long) for name in SERVERS),
    ],
)
def test_the_second_run_of_a_day_sees_two_refusals_at_most(tmp_path: Path, name: str, seeds: int) -> None:
    """In its first 40 s, on limits of each kind, and so do the third and the fourth."""
    for seed in range(seeds):
        path = tmp_path / f"{seed}.json"
        _run(path, SERVERS[name](), 100.0, seed)
        later = [_run(path, SERVERS[name](), 50.0, 10 * (seed + 1) + day)[0] for day in range(3 if seeds > 1 else 1)]
        assert max(later) <= 2, (seed, later)


@pytest.mark.parametrize(
    "name", ["bucket 10/s, burst 20", pytest.param("sliding 100 per 10 s", marks=pytest.mark.long)]
)
def test_a_stale_memory_is_no_ceiling(tmp_path: Path, name: str) -> None:
    """A limit that was raised to five times the remembered one is used after 100 s."""
    path = tmp_path / "limits.json"
    _run(path, SERVERS[name](), 100.0, 0)
    _, reached = _run(path, SERVERS[name](), 200.0, 1, share=5.0)
    assert reached > 0.9 * 50.0


@pytest.mark.parametrize(
    "name", ["bucket 10/s, burst 20", pytest.param("sliding 100 per 10 s", marks=pytest.mark.long)]
)
def test_a_limit_that_fell_meanwhile_costs_few_refusals(tmp_path: Path, name: str) -> None:
    """A remembered limit that is five times too high costs less than a cold start may (40), and is then left."""
    path = tmp_path / "limits.json"
    _run(path, SERVERS[name](), 100.0, 0)
    refused, reached = _run(path, SERVERS[name](), 100.0, 1, share=0.2)
    assert refused <= 25
    assert reached > 0.9 * 2.0


@pytest.mark.parametrize("pacer", [Adaptive(), FixedRate("1/s")])
async def test_only_an_adaptive_pacer_with_a_path_remembers(pacer: Pacer) -> None:
    """Other pacers neither read nor write a file."""
    pacing = RateLimiters(pacer, "key")
    pacing.open()
    await pacing.aclose()
    assert pacing.snapshot().sent == 0
