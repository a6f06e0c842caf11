"""Claims, departures, outcomes and time in any order: a model knows whom a campaign with a cap may reach."""

from __future__ import annotations

import tempfile
from decimal import Decimal

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns import State
from callsavvy_async.campaigns.journal import repository, runs, schema, sql
from callsavvy_async.campaigns.journal.commands import Departure
from callsavvy_async.campaigns.journal.frequency import Reach
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.journal.retrying_writer import RetryingWriter
from callsavvy_async.campaigns.journal.sqlite import SQLite
from callsavvy_async.campaigns.journal.writer import Writer
from callsavvy_async.campaigns.journal_sink import JournalSink
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.run_context import RunContext
from callsavvy_async.campaigns.states import Actor
from tests.profiles import examples

HOUR = 3600.0
CAPS = {1: None, 2: 10.0, 3: 30.0}
"""Hours, for each campaign."""
PEOPLE = range(234_800_000_001, 234_800_000_007)
COUNTED = {State.IN_FLIGHT, State.ACCEPTED, State.UNKNOWN}


@attrs.define
class Row:
    people: tuple[int, ...]
    state: State = State.PENDING
    indexed: set[int] = attrs.field(factory=set[int])
    """Who was in it when it departed, also those who were left out of a later attempt."""
    hours_ago: float = 0.0
    perhaps: float | None = None
    """Hours since the attempt whose outcome stayed unknown before a resend."""

    def may_have_arrived(self, hours: float) -> bool:
        """Tell whether it may have reached its people within so many hours."""
        attempts = [] if self.perhaps is None else [self.perhaps]
        if self.state in COUNTED:
            attempts.append(0.0 if self.state is State.IN_FLIGHT else self.hours_ago)
        return min(attempts, default=hours) < hours


class Capped(RuleBasedStateMachine):
    """Three campaigns to the same people, two of them with a cap. The model knows each chunk, and when it departed."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.database = SQLite(f"sqlite:///{self._folder.name}/journal.db", read_only=False)
        self.database.open()
        self.cursor = self.database.cursor()
        self.chunks: dict[tuple[int, int], Row] = {}
        self.claimed: dict[tuple[int, int], Chunk] = {}
        self.sinks: dict[int, JournalSink] = {}

    def teardown(self) -> None:
        self.database.close()
        self._folder.cleanup()

    @initialize(order=st.permutations(PEOPLE), size=st.integers(1, 3))
    def load(self, order: list[int], size: int) -> None:
        schema.set_fact(self.cursor, sql.REACHED, "complete")
        for campaign, cap in CAPS.items():
            self.cursor.execute(
                "INSERT INTO campaign (id, name, spec, created) VALUES (?, ?, '', 0)", (campaign, campaign)
            )
            people = order if campaign % 2 else list(PEOPLE)
            parts = [tuple(people[start : start + size]) for start in range(0, len(people), size)]
            chunks = [
                Chunk(number, "Hi", tuple(Recipient(f"+{n}", row=n) for n in part), estimate=Decimal(len(part)))
                for number, part in enumerate(parts, 1)
            ]
            repository.insert_chunks(self.cursor, campaign, chunks, common="Hi", load=1)
            self.chunks |= {(campaign, number): Row(part) for number, part in enumerate(parts, 1)}
            run_id = runs.begin(self.cursor, campaign, None)
            reach = Reach(self.database, campaign, "sms", None if cap is None else cap * HOUR)
            context = RunContext(campaign, run_id, RetryingWriter(Writer(self.database), 0), reach)
            self.sinks[campaign] = JournalSink(context, "Hi", CampaignReport(), lambda _: True, None)

    def reached(self, campaign: int) -> set[int]:
        """Return whom others reached within the cap of a campaign."""
        cap = CAPS[campaign]
        return {
            person
            for (other, _), row in self.chunks.items()
            for person in row.indexed
            if cap is not None and other != campaign and row.may_have_arrived(cap)
        }

    def in_state(self, *states: State) -> list[tuple[int, int]]:
        return [place for place, row in self.chunks.items() if row.state in states]

    @rule(campaign=st.sampled_from(sorted(CAPS)), limit=st.integers(1, 3))
    def claim(self, campaign: int, limit: int) -> None:
        """A claim leaves out exactly those whom others reached."""
        context, found = self.sinks[campaign].context, self.reached(campaign)
        self.cursor.execute("UPDATE chunk SET run = NULL WHERE state = 'pending'")
        pending = [place for place in self.in_state(State.PENDING) if place[0] == campaign][:limit]
        claimed = repository.claim(
            self.cursor, campaign, context.run_id, zone="", since=0, limit=limit, text="Hi", reach=context.reach
        )
        left = {chunk.number: chunk for chunk in claimed.chunks}
        for place in sorted(pending):
            row = self.chunks[place]
            row.people = tuple(person for person in row.people if person not in found)
            assert (
                tuple(int(r.number) for r in left[place[1]].recipients) == row.people
                if row.people
                else place[1] not in left
            )
            if row.people:
                row.state, self.claimed[place] = State.CLAIMED, left[place[1]]
            else:
                del self.chunks[place]

    @precondition(lambda self: self.in_state(State.CLAIMED))
    @rule(data=st.data())
    def depart(self, data: st.DataObject) -> None:
        """A chunk goes in flight exactly if others reached nobody in it since its claim."""
        place = data.draw(st.sampled_from(self.in_state(State.CLAIMED)))
        row, sink = self.chunks[place], self.sinks[place[0]]
        departure, _ = sink._depart(self.cursor, self.claimed[place], "00ff")
        too_soon = bool(self.reached(place[0]).intersection(row.people))
        assert departure is (Departure.TOO_SOON if too_soon else Departure.INDEXED)
        if too_soon:
            repository.withdraw(self.cursor, place[0], sink.context.run_id, place[1])
            row.state = State.PENDING
        else:
            row.state, row.hours_ago = State.IN_FLIGHT, 0.0
            row.indexed.update(row.people)

    @precondition(lambda self: self.in_state(State.IN_FLIGHT))
    @rule(
        data=st.data(),
        to=st.sampled_from([State.ACCEPTED, State.UNKNOWN, State.REJECTED, State.FAILED, State.CLAIMED, State.PENDING]),
    )
    def land(self, data: st.DataObject, to: State) -> None:
        place = data.draw(st.sampled_from(self.in_state(State.IN_FLIGHT)))
        run_id = self.sinks[place[0]].context.run_id
        repository.move(self.cursor, *place, ChunkUpdate(to), by=Actor.OWNER, run_id=run_id)
        self.chunks[place].state = to

    @precondition(lambda self: self.in_state(State.UNKNOWN))
    @rule(data=st.data(), to=st.sampled_from([State.ACCEPTED, State.NOT_SENT]))
    def decide(self, data: st.DataObject, to: State) -> None:
        place = data.draw(st.sampled_from(self.in_state(State.UNKNOWN)))
        repository.move(self.cursor, *place, ChunkUpdate(to), by=Actor.PERSON)
        self.chunks[place].state = to

    @rule(campaign=st.sampled_from(sorted(CAPS)))
    def resend(self, campaign: int) -> None:
        repository.make_pending(self.cursor, campaign, {State.UNKNOWN, State.NOT_SENT})
        for row in (
            self.chunks[place] for place in self.in_state(State.UNKNOWN, State.NOT_SENT) if place[0] == campaign
        ):
            row.perhaps = row.hours_ago if row.state is State.UNKNOWN else row.perhaps
            row.state = State.PENDING

    @rule(hours=st.sampled_from([1.0, 9.5, 25.0]))
    def wait(self, hours: float) -> None:
        self.cursor.execute("UPDATE chunk SET at = at - ?, perhaps = perhaps - ?", (hours * HOUR, hours * HOUR))
        for row in self.chunks.values():
            row.hours_ago += hours
            row.perhaps = None if row.perhaps is None else row.perhaps + hours


def test_a_campaign_with_a_cap_reaches_exactly_those_whom_no_other_just_reached() -> None:
    """Whatever the order of claims, departures, responses, decisions, resends and hours."""
    run_state_machine_as_test(Capped, settings=examples(40, stateful_step_count=30))
