"""What a campaign's rows come to: its sums, its unknown chunks, and the balance that was noted before its first request."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import attrs

from callsavvy_async.bulk.recipients import Doubtful, SkipReason
from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.owner import owner_of
from callsavvy_async.campaigns.report import OF_THE_RUN, CampaignReport
from callsavvy_async.campaigns.states import State


def fill(cursor: Cursor, campaign: int, report: CampaignReport) -> None:
    """Put the sums of the journal into a report. What is its run's own is left alone: it may change meanwhile."""
    fresh = CampaignReport()
    for state, estimate, cost, requests, recipients in cursor.execute(sql.SUMS, (campaign,)):
        fresh.add(State(state), recipients, requests, None if cost is None else Decimal(cost), Decimal(estimate))
    loads = """SELECT CAST(coalesce(sum(given), 0) AS BIGINT), count(*), count(digest),
        CAST(coalesce(sum(doubtful), 0) AS BIGINT), min(first_doubtful) FROM load WHERE campaign = ?"""
    fresh.given, begun, finished, doubtful, first = cursor.execute(loads, (campaign,)).fetchone()
    fresh.doubtful = Doubtful(doubtful, first)
    fresh.input_complete = begun == finished > 0
    fresh.running = runs.is_running(cursor, campaign)
    owner = owner_of(cursor, campaign)
    if owner is not None:
        fresh.simulated, fresh.server = owner.simulated, owner.server
    reasons = "SELECT reason, count(*) FROM skipped WHERE campaign = ? GROUP BY reason"
    fresh.skipped = Counter({SkipReason(reason): count for reason, count in cursor.execute(reasons, (campaign,))})
    for field in attrs.fields(CampaignReport):
        if field.name not in OF_THE_RUN:
            setattr(report, field.name, getattr(fresh, field.name))


def has_baseline(cursor: Cursor, campaign: int) -> bool:
    """Whether the balance was noted before the first request."""
    return balance_before(cursor, campaign)[0] is not None


def balance_before(cursor: Cursor, campaign: int) -> tuple[Decimal | None, float]:
    """Return the balance that was noted, and when."""
    query = "SELECT balance, coalesce(balance_at, 0) FROM campaign WHERE id = ?"
    balance, at = cursor.execute(query, (campaign,)).fetchone()
    return (None if balance is None else Decimal(balance)), float(at)


def note_balance(cursor: Cursor, campaign: int, balance: Decimal) -> None:
    """Note the balance before the first request, unless another run did, or called in the meantime."""
    report = CampaignReport()
    fill(cursor, campaign, report)
    if not (report.requests or report.in_flight):
        query = "UPDATE campaign SET balance = ?, balance_at = clock() WHERE id = ? AND balance IS NULL"
        cursor.execute(query, (str(balance), campaign))


def unknown_chunks(cursor: Cursor, campaign: int) -> list[tuple[int, Decimal, str]]:
    """Return number, estimate and detail of every unknown chunk."""
    query = "SELECT number, estimate, detail FROM chunk WHERE campaign = ? AND state = ? ORDER BY number"
    rows = cursor.execute(query, (campaign, State.UNKNOWN))
    return [(number, Decimal(estimate), detail) for number, estimate, detail in rows]


def surprising_costs(cursor: Cursor, campaign: int) -> int:
    """Count the accepted requests whose reported cost was not the estimate."""
    query = "SELECT estimate, cost, count(*) FROM chunk WHERE campaign = ? AND state = ? GROUP BY estimate, cost"
    rows = cursor.execute(query, (campaign, State.ACCEPTED))
    return sum(requests for estimate, cost, requests in rows if cost is not None and Decimal(cost) != Decimal(estimate))
