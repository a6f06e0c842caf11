"""Reads a campaign's sums, its unknown chunks, and the account's balance before its first request."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import attrs

from callsavvy_async.bulk.doubtful import Doubtful
from callsavvy_async.bulk.recipients import SkipReason
from callsavvy_async.campaigns.journal import runs, sql
from callsavvy_async.campaigns.journal.database import Cursor
from callsavvy_async.campaigns.journal.owner import owner_of
from callsavvy_async.campaigns.report import OF_THE_RUN, CampaignReport
from callsavvy_async.campaigns.states import State


def read(cursor: Cursor, campaign: int, name: str = "") -> CampaignReport:
    """Read the sums of a campaign."""
    report = CampaignReport(name=name)
    skipped: Counter[SkipReason] = Counter()
    for state, estimate, cost, requests, recipients in cursor.execute(sql.SUMS, (campaign, campaign)).fetchall():
        if state == "skipped":  # the second column is the reason
            skipped[SkipReason(estimate)] = recipients
            continue
        report.add(State(state), recipients, requests, None if cost is None else Decimal(cost), Decimal(estimate))
    loads = """SELECT CAST(coalesce(sum(given), 0) AS BIGINT), count(*), count(digest),
        CAST(coalesce(sum(doubtful), 0) AS BIGINT), min(first_doubtful) FROM load WHERE campaign = ?"""
    report.given, begun, completed, doubtful, first = cursor.execute(loads, (campaign,)).fetchone()
    report.doubtful = Doubtful(doubtful, first)
    report.input_complete = begun == completed > 0
    report.running = runs.is_running(cursor, campaign)
    owner = owner_of(cursor, campaign)
    if owner is not None:
        report.simulated, report.server = owner.simulated, owner.server
    report.skipped = skipped
    return report


def fill(cursor: Cursor, campaign: int, report: CampaignReport) -> None:
    """Copy the sums of a campaign into a run's report, except the run's own fields, which may change meanwhile."""
    fresh = read(cursor, campaign)
    for field in attrs.fields(CampaignReport):
        if field.name not in OF_THE_RUN:
            setattr(report, field.name, getattr(fresh, field.name))


def balance_before(cursor: Cursor, campaign: int) -> tuple[Decimal | None, float]:
    """Return the balance before the first request in units, and its time in seconds since 1970."""
    query = "SELECT balance, coalesce(balance_at, 0) FROM campaign WHERE id = ?"
    balance, at = cursor.execute(query, (campaign,)).fetchone()
    return (None if balance is None else Decimal(balance)), float(at)


def note_balance(cursor: Cursor, campaign: int, balance: Decimal) -> None:
    """Store the balance before the first request, unless another run stored it or sent a request meanwhile."""
    report = read(cursor, campaign)
    if not (report.requests or report.in_flight):
        query = "UPDATE campaign SET balance = ?, balance_at = clock() WHERE id = ? AND balance IS NULL"
        cursor.execute(query, (str(balance), campaign))


def unknown_chunks(cursor: Cursor, campaign: int) -> list[tuple[int, Decimal, str, str]]:
    """Return number, estimate, detail and request id of each unknown chunk."""
    query = "SELECT number, estimate, detail, request_id FROM chunk WHERE campaign = ? AND state = ? ORDER BY number"
    rows = cursor.execute(query, (campaign, State.UNKNOWN))
    return [(number, Decimal(estimate), detail, request_id) for number, estimate, detail, request_id in rows]


def surprising_costs(cursor: Cursor, campaign: int) -> int:
    """Count the accepted requests whose reported cost differs from the estimate."""
    query = "SELECT estimate, cost, count(*) FROM chunk WHERE campaign = ? AND state = ? GROUP BY estimate, cost"
    rows = cursor.execute(query, (campaign, State.ACCEPTED))
    return sum(requests for estimate, cost, requests in rows if cost is not None and Decimal(cost) != Decimal(estimate))
