"""The plan of a bulk send, shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from callsavvy_async.bulk.plan import Plan
from callsavvy_async.cli.exit_codes import ExitCode
from callsavvy_async.cli.output import show_json

_EXAMPLES = 5


def show_plan(plan: Plan, *, json: bool) -> ExitCode:
    """Print a plan as the result; say by the exit code whether a number was found, and the balance, if it was read, covers it."""
    if json:
        show_json(_as_dict(plan))
    else:
        print("\n".join(plan_lines(plan)))
    if plan.misread:
        return ExitCode.REFUSED
    return ExitCode.BUDGET if plan.affordable is False else ExitCode.DONE


def plan_lines(plan: Plan) -> Iterator[str]:
    """Describe a plan for people, with the first rows that are skipped. Numbers are masked."""
    yield from plan.summary_lines()
    for skipped in plan.first_skipped[:_EXAMPLES]:
        yield f"  row {skipped.row}: {skipped.reason.value}: {skipped.detail}"


def _as_dict(plan: Plan) -> Mapping[str, object]:
    return {
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
