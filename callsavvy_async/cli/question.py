"""The plan of a send as a person has to see it before agreeing: account, sender, texts, people, price and time.

A dry run, an estimate, the question of a send, and a send with --yes show the same lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from callsavvy_async.bulk.plan import Plan
from callsavvy_async.bulk.samples import Sample
from callsavvy_async.cli.activity import refuse, show
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.output import Result
from callsavvy_async.cli.stderr import ask, tell
from callsavvy_async.policy.fixed import parse_rate

_EXAMPLES = 5
_LINE = "\n    "


@attrs.frozen(kw_only=True)
class Question:
    """A plan, with what a command knows beside it.

    Attributes:
        plan: Plan of the send.
        account: The account that pays, in words; blank if the command needs no keys.
        record: Lines about the record of the send.
        rate: Maximum request rate that the user names.
        warnings: Further lines, which the user must not miss.
    """

    plan: Plan
    account: str = ""
    record: tuple[str, ...] = ()
    rate: str | None = None
    warnings: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        """Yield all lines. Numbers are masked, and texts are shown."""
        if self.account:
            yield f"Account: {self.account}"
        yield from self.record
        yield from self.plan.summary_lines()
        if self.plan.most_requests:
            yield f"Time: {self._time()}"
        yield from map(_shown, self.plan.samples)
        for skipped in self.plan.first_skipped[:_EXAMPLES]:
            yield f"  row {skipped.row}: {skipped.reason.value}: {skipped.detail}"
        yield from self.warnings

    def show(self) -> ExitCode:
        """Print the plan; return `REFUSED` if the list contains no number, `BUDGET` if the balance is too low."""
        show(Result(self._as_dict(), "\n".join(self.lines())))
        if self.plan.misread:
            return ExitCode.REFUSED
        return ExitCode.BUDGET if self.plan.affordable is False else ExitCode.DONE

    def refusal(self, *, asking: bool, needs_balance: bool = False) -> ExitCode | None:
        """Print the plan, and ask. Return the exit code of a refused send; None to send.

        Args:
            asking: True to ask, False if the user agreed with --yes.
            needs_balance: True to refuse a send that the balance does not cover.
        """
        tell("\n".join(self.lines()))
        unclear = why_unclear(self.plan, asking=asking)
        if unclear is not None:
            return refuse(f"nothing was sent: {unclear}")
        if needs_balance and self.plan.affordable is False:
            return refuse(
                "nothing was sent: the balance does not cover the plan. Top up, or shorten the list.", ExitCode.BUDGET
            )
        if (
            asking
            and self.plan.recipients
            and not ask(f"Send to {self.plan.recipients:,} {'person' if self.plan.recipients == 1 else 'people'}?")
        ):
            return refuse("nothing was sent.")
        return None

    @property
    def _seconds(self) -> float | None:
        return None if self.rate is None else self.plan.most_requests / parse_rate(self.rate)

    def _time(self) -> str:
        if self._seconds is None:
            return "unknown until the rate limit has been measured, or set with --rate"
        return f"about {format_duration(self._seconds)} at {self.rate}"

    def _as_dict(self) -> Mapping[str, object]:
        plan = self.plan
        return {
            "account": self.account or None,
            "source": plan.source,
            "channel": plan.channel,
            "sender": plan.sender,
            "given": plan.given,
            "recipients": plan.recipients,
            "skipped": {reason.value: count for reason, count in plan.skipped.items()},
            "columns": plan.columns,
            "doubtful": plan.doubtful.count,
            "requests": plan.requests,
            "most_requests": plan.most_requests,
            "segments": plan.total_segments,
            "recipients_by_segments": dict(plan.segments_per_message or {}),
            "recipients_by_encoding": {encoding.value: count for encoding, count in plan.encodings.items()},
            "ucs2_forced_by": list(plan.forced_by),
            "replacements": dict(plan.replacements),
            "estimated_units": plan.estimated_units,
            "balance": plan.balance,
            "affordable": plan.affordable,
            "seconds": self._seconds,
            "texts": [
                {"why": sample.why, "row": sample.row, "text": sample.text, "segments": sample.segments}
                for sample in plan.samples
            ],
        }


def why_unclear(plan: Plan, *, asking: bool) -> str | None:
    """Return why a plan cannot be sent as it is, and the fix; None if it can.

    Args:
        plan: Plan of the whole list.
        asking: True if a person sees the plan and confirms it.
    """
    if plan.misread:
        return "no row contains a phone number. Name the right --column."
    if plan.doubtful.count and not asking:
        return (
            f"{plan.doubtful.count:,} of {plan.recipients:,} numbers lack '+'. Add --international if they begin with a"
            " country code, or e.g. --region NG if they are national."
        )
    return None


def _shown(sample: Sample) -> str:
    """Return a text with its size, each of its lines indented. Escape sequences for terminals are made visible."""
    which = f"{' and '.join(sample.why).capitalize()} text, row {sample.row:,}" if sample.why else "Text for everybody"
    sizes = {"segment": sample.segments, "unit": sample.units}
    size = ", ".join(
        f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in sizes.items() if count is not None
    )
    visible = "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in sample.text)
    return f"{which}{f' ({size} each)' if size else ''}:{_LINE}{visible.replace(chr(10), _LINE)}"


_MINUTE, _HOUR = 60, 3600


def format_duration(seconds: float) -> str:
    """Format a duration: 45 s, 25 min, 2 h 5 min."""
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    hours, minutes = divmod(round(seconds / _MINUTE), 60)
    return f"{hours:,} h {minutes} min"
