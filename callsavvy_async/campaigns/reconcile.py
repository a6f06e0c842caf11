"""Decides unknown chunks by the account's balance, and records the result if the caller permits it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import attrs

from callsavvy_async.campaigns.journal import repository, sums
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.spec import Spec
from callsavvy_async.campaigns.states import Actor, State
from callsavvy_async.campaigns.subset_sum import Reconciliation, decide
from callsavvy_async.resources.account import Account

_CHARGED = ChunkUpdate(State.ACCEPTED, detail="the balance proves that it was charged")
_NOT_CHARGED = ChunkUpdate(State.NOT_SENT, detail="the balance proves that it was not charged")


@attrs.frozen
class _Known:
    """The journal's side of the comparison."""

    report: CampaignReport
    before: Decimal | None
    """Units before the first request."""
    before_at: float
    """Time of that balance, in seconds since 1970."""
    unknown: dict[int, Decimal]
    """Estimate of each unknown chunk, in units."""
    surprises: int
    """Number of requests whose reported cost differs from the estimate."""


async def reconcile(writer: Writer, campaign: int, spec: Spec, account: Account, *, exclusive: bool) -> Reconciliation:
    """Compare the balance now with the balance before the campaign, less the known costs."""
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
            or "the journal is unchanged; confirm with exclusive=True (--exclusive) that only this campaign spent units."
        )
        return attrs.evolve(found, why=why)

    charged = {number: attrs.evolve(_CHARGED, cost=known.unknown[number]) for number in found.charged}
    updates = {**charged, **dict.fromkeys(found.not_charged, _NOT_CHARGED)}
    await writer.run(lambda cursor: _move(cursor, campaign, updates))
    return attrs.evolve(found, acted=True)


def _move(cursor: Cursor, campaign: int, updates: Mapping[int, ChunkUpdate]) -> None:
    for number, update in updates.items():
        repository.move(cursor, campaign, number, update, by=Actor.PERSON)


def _read(cursor: Cursor, campaign: int) -> _Known:
    report, (before, at) = sums.read(cursor, campaign), sums.balance_before(cursor, campaign)
    unknown = {number: estimate for number, estimate, _, _ in sums.unknown_chunks(cursor, campaign)}
    return _Known(report, before, at, unknown, sums.surprising_costs(cursor, campaign))


def _why_not(spec: Spec, known: _Known) -> str:
    if not known.unknown:
        return "the campaign has 0 unknown requests."
    if not spec.message.is_reconcilable:
        return f"the balance does not prove what {spec.message.channel} cost."
    if known.before is None:
        return "the balance before the first request is missing, or unknown requests were resent since."
    if known.report.in_flight:
        return "requests are still in flight."
    if known.report.requests_without_cost or known.surprises:
        return (
            f"{known.report.requests_without_cost} responses lack a cost, and {known.surprises} differ from the estimate,"
            " so the cost of the unknown requests is uncertain too."
        )
    begun, now = datetime.fromtimestamp(known.before_at, UTC), datetime.now(UTC)
    if (begun.year, begun.month) != (now.year, now.month):
        return "the campaign began in another month, and the balance covers one month."
    return ""


def _decided(found: Reconciliation, known: _Known, missing: Decimal) -> Reconciliation:
    solutions, verdicts = decide(known.unknown, missing)
    why = ""
    if not solutions:
        why = f"{missing} units are missing, which fits 0 selections of unknown requests; something else changed the balance."
    elif not verdicts:
        why = f"{missing} units are missing, which fits {solutions:,} selections of unknown requests; they share no request."
    return attrs.evolve(
        found,
        missing=missing,
        solutions=solutions,
        charged=tuple(number for number, charged in verdicts.items() if charged),
        not_charged=tuple(number for number, charged in verdicts.items() if not charged),
        undecided=tuple(number for number in known.unknown if number not in verdicts),
        why=why,
    )
