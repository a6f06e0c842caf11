"""The plan of a bulk send: its output, and the plans that must not be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from callsavvy_async.bulk.plan import Plan
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.output import show_json

_EXAMPLES = 5


def show_plan(plan: Plan, *, json: bool) -> ExitCode:
    """Print a plan; return `REFUSED` if the list contains no number, `BUDGET` if the balance is too low."""
    if json:
        show_json(_as_dict(plan))
    else:
        print("\n".join(plan_lines(plan)))
    if plan.misread:
        return ExitCode.REFUSED
    return ExitCode.BUDGET if plan.affordable is False else ExitCode.DONE


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of a plan with the first skipped rows. Numbers are masked."""
    yield from plan.summary_lines()
    for skipped in plan.first_skipped[:_EXAMPLES]:
        yield f"  row {skipped.row}: {skipped.reason.value}: {skipped.detail}"


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


def _as_dict(plan: Plan) -> Mapping[str, object]:
    return {
        "source": plan.source,
        "channel": plan.channel,
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
        "estimated_units": None if plan.estimated_units is None else str(plan.estimated_units),
        "balance": None if plan.balance is None else str(plan.balance),
        "affordable": plan.affordable,
    }
