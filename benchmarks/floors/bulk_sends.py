"""CPU time of a request of a bulk send beside plain sends, and of one of a durable campaign beside a bulk send."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator

from benchmarks.floors.figures import Figures, median
from benchmarks.floors.sends import ROUNDS, Work, cpu, interleaved, sdk
from benchmarks.speed import ours
from benchmarks.speed.answers import TEXT
from benchmarks.speed.target import Target
from callsavvy_async import SMS, Callsavvy
from callsavvy_async.campaigns import Campaign, Journal

IN_FLIGHT = 64
UNITS = 1_500


def bulk(url: str) -> Figures:
    """Measure a bulk send of one recipient a request beside as many plain workers."""

    async def work() -> Figures:
        target = Target(url, "", IN_FLIGHT)
        async with ours.connect(target) as callsavvy, sdk(target) as plain:
            return await interleaved(_bulk(callsavvy), plain, UNITS)

    return asyncio.run(work())


def campaign(url: str) -> Figures:
    """Measure the run of a campaign of one recipient a request beside a bulk send."""

    async def work() -> Figures:
        async with ours.connect(Target(url, "", IN_FLIGHT)) as callsavvy:
            with tempfile.TemporaryDirectory() as folder:
                async with Journal.open(f"sqlite:///{folder}/journal.db") as journal:
                    return await _campaigns(callsavvy, journal)

    return asyncio.run(work())


async def _campaigns(callsavvy: Callsavvy, journal: Journal) -> Figures:
    send = _bulk(callsavvy)
    rounds: list[Figures] = []
    for number in range(ROUNDS):
        campaign = await journal.campaign(f"c{number}", SMS(TEXT), chunk_size=1)
        await campaign.load(_numbers(UNITS))
        rounds.append(Figures(await cpu(_run_of(campaign, callsavvy), UNITS), await cpu(send, UNITS)))
    return median(rounds)


def _run_of(campaign: Campaign, callsavvy: Callsavvy) -> Work:
    async def run(units: int) -> None:
        report = await campaign.run(callsavvy)
        assert report.accepted == units, report

    return run


def _bulk(callsavvy: Callsavvy) -> Work:
    async def work(units: int) -> None:
        report = await callsavvy.bulk.sms(_numbers(units), TEXT, chunk_size=1, max_in_flight=IN_FLIGHT)
        assert report.accepted == units, report

    return work


def _numbers(count: int) -> Iterator[str]:
    return (f"+2348{number:09}" for number in range(count))
