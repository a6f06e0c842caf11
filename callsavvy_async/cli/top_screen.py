"""What ``callsavvy campaigns top`` shows: pure functions from a moment of a campaign to lines of text."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from callsavvy_async.campaigns import Action, Command, Phase
from callsavvy_async.campaigns.spec import CampaignSettings
from callsavvy_async.campaigns.windows import RECIPIENT
from callsavvy_async.cli import table
from callsavvy_async.cli.campaign_steering import format_clock
from callsavvy_async.cli.campaign_watch import CampaignView
from callsavvy_async.cli.hints import hint
from callsavvy_async.cli.progress import draw_bar, format_rate
from callsavvy_async.cli.question import format_duration
from callsavvy_async.policy.pacer import FULL

KEYS = "p pause  c continue  s stop  q quit"
_LONGEST_BAR = 60
_RECENT = 20.0
"""Seconds over which the speed is measured."""
_COUNTS = ("accepted", "failed", "rejected", "unknown", "pending", "in_flight", "not_sent", "cancelled")
_ALWAYS_SHOWN = frozenset({"accepted", "unknown", "pending", "in_flight"})
_WORKERS = ("name", "state", "in flight", "requests/s", "wrote")


@attrs.define
class RecentSpeed:
    """Recipients per second of the last seconds."""

    _points: deque[tuple[float, int]] = attrs.field(factory=deque[tuple[float, int]], init=False)

    def update(self, now: float, settled: int) -> float | None:
        """Return the speed in recipients per second; None at the first update.

        Args:
            now: Monotonic seconds.
            settled: Number of recipients with a final outcome.
        """
        self._points.append((now, settled))
        while len(self._points) > 2 and now - self._points[1][0] >= _RECENT:  # noqa: PLR2004 - a line needs two points
            self._points.popleft()
        began, before = self._points[0]
        return (settled - before) / (now - began) if now > began else None


@attrs.frozen(kw_only=True)
class Moment:
    """A campaign at one moment.

    Attributes:
        view: Sums, workers and speed.
        commands: Commands so far, the oldest first.
        settings: Send times of the campaign.
        now: Time of the journal's reader.
        journal: File or URL of the journal.
    """

    view: CampaignView
    commands: tuple[Command, ...]
    settings: CampaignSettings
    now: datetime
    journal: str = ""

    @property
    def phase(self) -> Phase:
        """What the last command lets the workers do."""
        return self.commands[-1].phase if self.commands else Phase.SENDING

    @property
    def is_finished(self) -> bool:
        """True if nothing is left to send."""
        return self.view.report.input_complete and not self.view.left

    @property
    def has_worker(self) -> bool:
        """True if a live worker runs the campaign."""
        return any(worker.alive for worker in self.view.workers)

    @property
    def state(self) -> str:
        """The state in a word or two."""
        if self.is_finished:
            return "nothing left to send"
        if self.phase is not Phase.SENDING:
            return self.phase.value
        return "sending" if self.has_worker else "no worker"

    def obstacles(self) -> Iterator[str]:
        """Yield what holds the campaign back, the strongest first."""
        if self.is_finished:
            return
        if not self.view.report.input_complete:
            yield "the list is not completely loaded"
        if self.phase is not Phase.SENDING:
            yield self._command()
        elif not self.has_worker:
            yield "no worker runs"
        yield from self._schedule()
        yield from self._limits()
        for worker in self.view.workers:
            if not worker.alive:
                yield f"{worker.name} is dead; the other workers take over its requests"

    def proposal(self) -> tuple[str, str] | None:
        """Return what to do if nothing happens any more, and the command for it."""
        if self.is_finished or self.has_worker or self.phase is Phase.PAUSED:
            return None
        do = "Press c, then send the rest with:" if self.phase is Phase.STOPPED else "Send the rest with:"
        return do, hint("campaigns resume", self.view.report.name, journal=self.journal)

    def _command(self) -> str:
        wanted = Action.PAUSE if self.phase is Phase.PAUSED else Action.STOP
        given = next((command for command in reversed(self.commands) if command.action is wanted), self.commands[-1])
        return f"{given.action} of {given.author} at {format_clock(given.at)}"

    def _schedule(self) -> Iterator[str]:
        settings, now = self.settings, self.now
        if settings.start_at is not None and settings.start_at > now:
            yield f"its start at {format_clock(settings.start_at.timestamp())}"
        window = settings.window
        if window is None:
            return
        if window.zone == RECIPIENT:
            busy = any(worker.in_flight or worker.claimed for worker in self.view.workers)
            if not busy:
                yield f"its send window, {settings.send_window} on each recipient's clock"
            return
        seconds = window.seconds_until_open(window.zone, now)
        if seconds:
            yield f"its send window, {settings.send_window} {window.zone}, which opens in {format_duration(seconds)}"

    def _limits(self) -> Iterator[str]:
        shared, alive = self.view.shared_limit, [worker for worker in self.view.workers if worker.alive]
        pauses = [_number(worker.status, "shut_for") - worker.heartbeat_age for worker in alive]
        pause = max([*pauses, 0.0 if shared is None else shared.shut_for], default=0.0)
        if pause > 0:
            yield f"a 429, which pauses it for another {format_duration(pause)}"
        for command in reversed(self.commands):
            if "rate" in command.limits:
                yield f"its rate of {command.limits['rate']}, set by {command.author}"
                break
        if self.view.limit is not None:
            yield f"the rate limit of {format_rate(self.view.limit)} requests/s"
        if alive and all(worker.status.get("why") == FULL for worker in alive):
            yield "responses: all requests that may be in flight are"
        if shared is not None and shared.out_of_reach_of:
            yield f"the shared limit, which {', '.join(shared.out_of_reach_of)} cannot reach"


def lines_of(moment: Moment, width: int, height: int, *, note: Sequence[str], ascii_only: bool) -> list[str]:
    """Draw a moment.

    Args:
        moment: The moment.
        width: Columns of the screen.
        height: Rows of the screen. Workers without a row are counted. The keys and the note always have theirs.
        note: Lines about the last key or a failure.
        ascii_only: True if the terminal shows only ASCII.
    """
    foot = ["", KEYS, *(line for text in note for line in _wrapped(text, width))]
    head = [*_head(moment, width, ascii_only=ascii_only), ""]
    head += _wrapped("Held back by: " + ("; ".join(moment.obstacles()) or "nothing"), width)
    if (proposal := moment.proposal()) is not None:
        head += [proposal[0], *_command_lines(proposal[1], width)]
    room = height - len(head) - len(foot)
    body = ["", *_workers(moment.view, width)] if moment.view.workers else []
    if len(body) > room:
        left_out = len(body) - max(room - 1, 0)
        body = [*body[: max(room - 1, 0)], f"and {left_out:,} more"][: max(room, 0)]
    shown = [*head, *body][: max(height - len(foot), 1)]
    return [table.cut(line, width).rstrip() for line in [*shown, *foot]][:height]


def _head(moment: Moment, width: int, *, ascii_only: bool) -> Iterator[str]:
    view, report = moment.view, moment.view.report
    clock = f"{moment.now.astimezone():%H:%M:%S}"
    title = table.cut(f"{report.name}: {moment.state}", max(width - len(clock) - 2, 1))
    yield f"{title}{' ' * (width - table.cell_width(title) - len(clock))}{clock}"
    total = report.given - report.skipped.total()
    share = view.settled / total if total else 0.0
    count = f"{view.settled:,}/{total:,}"
    seconds = view.seconds_left
    left = f"{share:.0%}" if seconds is None or not view.left else f"{format_duration(seconds)} left"
    bar = min(max(width - len(count) - len(left) - 2, 0), _LONGEST_BAR)
    yield f"{count} {draw_bar(share, bar, ascii_only=ascii_only)} {left}"
    yield ""
    yield from _packed(list(_facts(view)), width)


def _facts(view: CampaignView) -> Iterator[str]:
    report = view.report
    for name in _COUNTS:
        count = getattr(report, name)
        if count or name in _ALWAYS_SHOWN:
            yield f"{count:,} {name.replace('_', ' ')}"
    if report.skipped.total():
        yield f"{report.skipped.total():,} skipped"
    yield f"cost {report.reported_cost}"
    if view.rate is not None:
        yield f"{format_rate(view.rate)} recipients/s"


def _workers(view: CampaignView, width: int) -> list[str]:
    rows: list[list[str]] = []
    for worker in sorted(view.workers, key=lambda worker: (worker.alive, worker.name)):
        rate = worker.status.get("rate")
        speed = format_rate(float(rate)) if isinstance(rate, int | float) else ""
        age = f"{worker.heartbeat_age:,.0f} s ago"
        rows.append([worker.name, "alive" if worker.alive else "DEAD", f"{worker.in_flight:,}", speed, age])
    return table.draw(_WORKERS, rows, width=width, chosen=False)[0].splitlines()


def _packed(facts: Sequence[str], width: int) -> Iterator[str]:
    """Yield lines with as many facts as fit."""
    line = ""
    for fact in facts:
        longer = f"{line}  {fact}" if line else fact
        if line and len(longer) > width:
            yield line
            longer = fact
        line = longer
    yield line


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False) or [""]


def _command_lines(command: str, width: int) -> list[str]:
    """Break a command as a shell reads it. On the whole screen, a terminal does not know which lines belong together."""
    lines = textwrap.wrap(command, width - 2, break_on_hyphens=False, break_long_words=False)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _number(status: Mapping[str, object], key: str) -> float:
    value = status.get(key)
    return float(value) if isinstance(value, int | float) else 0.0
