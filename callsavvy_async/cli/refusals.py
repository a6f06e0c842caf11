"""When a list is not sent to as it was read, however sure the command is asked to be."""

from __future__ import annotations

from callsavvy_async.bulk.plan import Plan


def why_unclear(plan: Plan, *, asking: bool) -> str | None:
    """Say why a plan cannot be meant as it stands, and the way to do it; None when it can.

    Args:
        plan: of the whole list.
        asking: a person sees the plan and is asked.
    """
    if plan.misread:
        return "no row holds a number to send to. Is it the right --column?"
    if plan.doubtful.count and not asking:
        return (
            f"numbers lack '+' ({plan.doubtful.count:,} of {plan.recipients:,}). Say whether they begin with their country"
            " code (--international) or are national numbers (--region NG)."
        )
    return None
