"""Gathers what the balance tells about unknown chunks, and acts on it when that is allowed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import attrs

from callsavvy_async.campaigns.journal import repository, sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import Transition
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import Actor, State
from callsavvy_async.campaigns.subset_sum import Reconciliation, decide
from callsavvy_async.resources.account import Account

_CHARGED = Transition(State.ACCEPTED, detail="the balance proves that it was charged")
_NOT_CHARGED = Transition(State.NOT_SENT, detail="the balance proves that it was not charged")


@attrs.frozen
class _Known:
    """What the journal knows."""

    report: CampaignReport
    before: Decimal | None
    before_at: float
    unknown: dict[int, Decimal]
    surprises: int
    """Calls whose reported cost was not the estimate."""


async def reconcile(writer: Writer, campaign: int, spec: Spec, account: Account, *, exclusive: bool) -> Reconciliation:
    """Compare the balance now with the one before the campaign, less the known costs."""
    known = await writer.run(lambda cursor: _read(cursor, campaign))
    found = Reconciliation(known_cost=known.report.cost, undecided=tuple(known.unknown))
    why = _why_not(spec, known)
    if why:
        return attrs.evolve(found, balance_before=known.before, why=why)
    now = spec.message.balance(await account.summary())
    found = attrs.evolve(found, balance_before=known.before, balance_now=now)
    if now is None or known.before is None:
        return attrs.evolve(found, why="the API reports no balance that is a number.")
    found = _decided(found, known, known.before - now - known.report.cost)
    if not exclusive or not (found.charged or found.not_charged):
        why = (
            found.why
            or "nothing was changed: that takes your word (exclusive=True, --exclusive) that nothing else spent on this account."
        )
        return attrs.evolve(found, why=why)

    def act(cursor: Cursor) -> None:
        for numbers, outcome in ((found.charged, _CHARGED), (found.not_charged, _NOT_CHARGED)):
            for number in numbers:
                charged = attrs.evolve(outcome, cost=known.unknown[number]) if outcome is _CHARGED else outcome
                repository.move(cursor, campaign, number, charged, by=Actor.PERSON)

    await writer.run(act)
    return attrs.evolve(found, acted=True)


def _read(cursor: Cursor, campaign: int) -> _Known:
    report = CampaignReport()
    sums.fill(cursor, campaign, report)
    before, at = sums.balance_before(cursor, campaign)
    unknown = {number: estimate for number, estimate, _ in sums.unknown_chunks(cursor, campaign)}
    return _Known(report, before, at, unknown, sums.surprising_costs(cursor, campaign))


def _why_not(spec: Spec, known: _Known) -> str:
    if not known.unknown:
        return "nothing is unknown."
    if not spec.message.is_reconcilable:
        return f"the balance does not prove what {spec.message.channel} cost."
    if known.before is None:
        return "the balance before the first request is not known, or what was unknown was sent again since."
    if known.report.in_flight:
        return "requests are still in flight."
    if known.report.requests_without_cost or known.surprises:
        return (
            f"{known.report.requests_without_cost} requests reported no cost, and {known.surprises} another than estimated:"
            " what the unknown requests cost is not known either."
        )
    begun, now = datetime.fromtimestamp(known.before_at, UTC), datetime.now(UTC)
    if (begun.year, begun.month) != (now.year, now.month):
        return "balances are monthly, and the campaign began in another month."
    return ""


def _decided(found: Reconciliation, known: _Known, missing: Decimal) -> Reconciliation:
    solutions, verdicts = decide(known.unknown, missing)
    why = ""
    if not solutions:
        why = "no selection of the unknown requests costs what is missing: something else changed the balance."
    elif not verdicts:
        why = f"{solutions:,} selections of the unknown requests cost what is missing, and agree on none."
    return attrs.evolve(
        found,
        missing=missing,
        solutions=solutions,
        charged=tuple(number for number, charged in verdicts.items() if charged),
        not_charged=tuple(number for number, charged in verdicts.items() if not charged),
        undecided=tuple(number for number in known.unknown if number not in verdicts),
        why=why,
    )
