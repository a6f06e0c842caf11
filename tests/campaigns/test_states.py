"""The table of moves, and the journal's database against a plain model of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callsavvy_async import SMS
from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns import ChunkLostError, LeaseLostError, State
from callsavvy_async.campaigns.journal import repository, runs, sums
from callsavvy_async.campaigns.journal.lookup import database_of
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.report import CampaignReport
from callsavvy_async.campaigns.states import MOVES, Actor, sources
from tests.profiles import examples

FINAL = {State.ACCEPTED, State.FAILED, State.REJECTED, State.CANCELLED, State.SPLIT}
HELLO = SMS("Hello")
OURS = 1


def test_what_is_final_is_left_by_nobody() -> None:
    """No move leads away from what was accepted, failed, rejected, cancelled or split."""
    assert not FINAL & {source for moves in MOVES.values() for into in moves.values() for source in into}


def test_unknown_becomes_pending_only_by_a_person() -> None:
    """Neither a run nor the opening of a journal ever makes an unknown chunk ready to be sent again."""
    assert all(State.UNKNOWN not in sources(State.PENDING, by) for by in set(Actor) - {Actor.PERSON})


def test_nothing_comes_to_be_in_flight_but_what_the_run_claimed() -> None:
    """Only the run that claimed a chunk takes it into the air."""
    assert sources(State.IN_FLIGHT, Actor.OWNER) == {State.CLAIMED}
    assert not sources(State.IN_FLIGHT, Actor.RECOVERY)
    assert not sources(State.IN_FLIGHT, Actor.PERSON)


ALLOWED = """
the run that claimed the chunk:
    pending -> claimed
    in_flight -> claimed
    claimed -> in_flight
    claimed -> pending
    in_flight -> pending
    in_flight -> accepted
    in_flight -> failed
    in_flight -> rejected
    in_flight -> unknown
    in_flight -> split
    unknown -> accepted
    unknown -> failed
    unknown -> rejected
    unknown -> not_sent
the takeover of a dead run:
    claimed -> pending
    in_flight -> unknown
a person, or proof by the balance:
    unknown -> accepted
    unknown -> not_sent
    unknown -> pending
    not_sent -> pending
    pending -> cancelled
    not_sent -> cancelled
the recovery of an older copy of the journal:
    pending -> unknown
    claimed -> unknown
    in_flight -> unknown
    not_sent -> unknown
"""


def test_these_moves_and_no_others() -> None:
    """The table is that of the semantics, move by move; every other move is refused."""
    written: dict[str, set[tuple[str, ...]]] = {}
    mover = ""
    for line in ALLOWED.split("\n"):
        if line.endswith(":"):
            mover = line.removesuffix(":")
        elif line:
            written.setdefault(mover, set()).add(tuple(line.split()[::2]))
    assert {by.value: {(str(source), str(to)) for to in State for source in sources(to, by)} for by in Actor} == written


@attrs.define
class Row:
    state: State
    size: int
    run_id: int | None = None
    depth: int = 0
    cost: Decimal | None = None


class JournalModel(RuleBasedStateMachine):
    """A dict of chunks does what the database does."""

    def __init__(self, database) -> None:
        super().__init__()
        self.cursor = database.cursor()
        self.cursor.execute("BEGIN")
        self.cursor.execute("INSERT INTO campaign (id, name, spec, created) VALUES (1, 'c', '', 0)")
        self.chunks: dict[int, Row] = {}
        self.given = 0
        self.lost = False
        self.run_id = runs.begin(self.cursor, OURS, 30.0)

    def teardown(self) -> None:
        self.cursor.execute("ROLLBACK")

    def _of(self, *states: State, owned: bool = False) -> list[int]:
        return [
            number
            for number, row in self.chunks.items()
            if row.state in states and (not owned or row.run_id == self.run_id)
        ]

    @initialize(sizes=st.lists(st.integers(1, 4), min_size=6, max_size=10))
    def begin(self, sizes: list[int]) -> None:
        self.load(sizes)

    @precondition(lambda self: not self._of(State.PENDING))
    @rule(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4))
    def load(self, sizes: list[int]) -> None:
        number = repository.next_number(self.cursor, OURS)
        assert number == len(self.chunks) + 1
        chunks = []
        for index, size in enumerate(sizes):
            people = tuple(Recipient(f"+23480{self.given + n:08}", row=self.given + n + 1) for n in range(size))
            chunks.append(Chunk(number + index, "Hello", people, estimate=Decimal(size)))
            self.chunks[number + index] = Row(State.PENDING, size)
            self.given += size
        repository.insert_chunks(self.cursor, OURS, chunks, common="Hello", load=1)

    @precondition(lambda self: any(self.chunks[n].run_id != self.run_id for n in self._of(State.PENDING)))
    @rule(limit=st.integers(1, 5))
    def claim(self, limit: int) -> None:
        if self.lost:
            self.cursor.execute("SAVEPOINT claim")
            with pytest.raises(LeaseLostError):
                repository.claim(self.cursor, OURS, self.run_id, zone="", since=0, limit=limit, text="Hello")
            self.cursor.execute("ROLLBACK TO claim")
            return
        due = [n for n in self._of(State.PENDING) if self.chunks[n].run_id != self.run_id][:limit]
        claimed = repository.claim(self.cursor, OURS, self.run_id, zone="", since=0, limit=limit, text="Hello").chunks
        assert [(c.number, len(c.recipients), c.depth) for c in claimed] == [
            (n, self.chunks[n].size, self.chunks[n].depth) for n in due
        ]
        for n in due:
            self.chunks[n] = attrs.evolve(self.chunks[n], state=State.CLAIMED, run_id=self.run_id)

    @rule(data=st.data(), to=st.sampled_from(State), by=st.sampled_from([Actor.OWNER, Actor.PERSON]))
    def try_any_move(self, data: st.DataObject, to: State, by: Actor) -> None:
        """Any move of any chunk is done exactly when the table allows it."""
        if self.chunks and sources(to, by):
            self._move(data.draw(st.sampled_from(sorted(self.chunks))), to, by, None)

    @precondition(lambda self: self._of(State.CLAIMED, owned=True))
    @rule(most=st.integers(1, 3))
    def fly(self, most: int) -> None:
        """Chunks come to be in flight often enough for what happens then."""
        for number in self._of(State.CLAIMED, owned=True)[:most]:
            self._move(number, State.IN_FLIGHT, Actor.OWNER, None)

    @precondition(lambda self: self._of(State.IN_FLIGHT, owned=True))
    @rule(
        to=st.sampled_from([State.ACCEPTED, State.FAILED, State.REJECTED, State.UNKNOWN, State.PENDING, State.CLAIMED]),
        cost=st.sampled_from([None, Decimal("30.1"), Decimal("0.1")]),
    )
    def land(self, to: State, cost: Decimal | None) -> None:
        """What is in flight lands, and what it cost is kept."""
        taken = to in {State.ACCEPTED, State.FAILED}
        self._move(self._of(State.IN_FLIGHT, owned=True)[0], to, Actor.OWNER, cost if taken else None)

    @precondition(lambda self: self._of(State.UNKNOWN))
    @rule(to=st.sampled_from([State.ACCEPTED, State.NOT_SENT]))
    def resolve(self, to: State) -> None:
        self._move(self._of(State.UNKNOWN)[0], to, Actor.PERSON, None)

    def _move(self, number: int, to: State, by: Actor, cost: Decimal | None) -> None:
        row = self.chunks[number]
        allowed = row.state in sources(to, by) and (by is Actor.PERSON or row.run_id == self.run_id)
        done_before = by is Actor.OWNER and (row.state, row.run_id) == (to, self.run_id)
        try:
            update = ChunkUpdate(to, cost=cost)
            moved = repository.move(self.cursor, OURS, number, update, by=by, run_id=self.run_id) is not None
        except ChunkLostError:
            assert not allowed
            assert not done_before
            return
        assert moved == allowed
        if not moved:
            assert done_before
            return
        self.chunks[number] = attrs.evolve(row, state=to, cost=cost)

    @precondition(lambda self: self._of(State.IN_FLIGHT, owned=True))
    @rule()
    def split(self) -> None:
        number = self._of(State.IN_FLIGHT, owned=True)[0]
        row = self.chunks[number]
        if row.size == 1:
            return
        chunk = repository.read_chunk(self.cursor, OURS, number, "Hello")
        chunk = attrs.evolve(chunk, depth=row.depth, estimate=Decimal(row.size))
        first, second = repository.split(self.cursor, OURS, self.run_id, chunk, common="Hello")
        self.chunks[number] = attrs.evolve(row, state=State.SPLIT)
        for half in (first, second):
            assert half.number not in self.chunks
            self.chunks[half.number] = Row(State.CLAIMED, len(half.recipients), self.run_id, row.depth + 1)
        assert first.recipients + second.recipients == chunk.recipients

    @precondition(lambda self: self._of(State.IN_FLIGHT, State.UNKNOWN, owned=True))
    @rule(
        data=st.data(),
        to=st.sampled_from([State.ACCEPTED, State.FAILED, State.REJECTED, State.UNKNOWN, State.PENDING]),
    )
    def report(self, data: st.DataObject, to: State) -> None:
        """What its owner knows is honoured, also late; that it was not sent makes nothing unknown pending."""
        number = data.draw(st.sampled_from(self._of(State.IN_FLIGHT, State.UNKNOWN, owned=True)))
        row = self.chunks[number]
        repository.settle(self.cursor, OURS, self.run_id, number, ChunkUpdate(to))
        late = row.state is State.UNKNOWN and to is State.PENDING
        self.chunks[number] = attrs.evolve(row, state=State.NOT_SENT if late else to, cost=None)

    @precondition(lambda self: self._of(State.CLAIMED, State.IN_FLIGHT))
    @rule()
    def die_and_come_back(self) -> None:
        runs.take_over(self.cursor, [OURS], all_are_dead=True)
        if not self.lost:
            self.cursor.execute("UPDATE run SET lease = NULL WHERE id = ?", (self.run_id,))
            runs.take_over(self.cursor, [OURS], all_are_dead=True)
        self._leave(State.UNKNOWN)
        self._begin()

    @precondition(lambda self: self._of(State.CLAIMED, State.IN_FLIGHT))
    @rule()
    def end_and_begin(self) -> None:
        runs.end(self.cursor, OURS, self.run_id)
        self._leave(State.IN_FLIGHT)
        self._begin()

    @rule()
    def nobody_died(self) -> None:
        """Within its lease a run is left alone, whoever looks."""
        if not self.lost:
            runs.take_over(self.cursor, [OURS])
            self._leave_orphans()

    @precondition(lambda self: self._of(State.CLAIMED, State.IN_FLIGHT, owned=True))
    @rule()
    def sleep_past_the_lease(self) -> None:
        """Another run takes it for dead; this one wakes, and goes on under its run that ended."""
        self.cursor.execute("UPDATE run SET heartbeat = heartbeat - 31 WHERE id = ?", (self.run_id,))
        runs.take_over(self.cursor, [OURS])
        self._leave(State.UNKNOWN)
        self.lost = True

    def _leave(self, flown: State) -> None:
        into = {State.CLAIMED: State.PENDING, State.IN_FLIGHT: flown}
        for number, row in self.chunks.items():
            self.chunks[number] = attrs.evolve(row, state=into.get(row.state, row.state))

    def _leave_orphans(self) -> None:
        """What is in flight under a run that ended is nobody's any more."""
        for number, row in self.chunks.items():
            if row.state is State.IN_FLIGHT and row.run_id != self.run_id:
                self.chunks[number] = attrs.evolve(row, state=State.UNKNOWN)

    def _begin(self) -> None:
        self.run_id = runs.begin(self.cursor, OURS, 30.0)
        self.lost = False

    @precondition(lambda self: self._of(State.UNKNOWN, State.NOT_SENT))
    @rule(only_not_sent=st.booleans())
    def make_pending(self, only_not_sent: bool) -> None:
        states = {State.NOT_SENT} if only_not_sent else {State.NOT_SENT, State.UNKNOWN}
        repository.make_pending(self.cursor, OURS, states)
        for number in self._of(*states):
            self.chunks[number] = attrs.evolve(self.chunks[number], state=State.PENDING, run_id=None)

    @precondition(lambda self: self._of(State.CLAIMED, owned=True))
    @rule()
    def release(self) -> None:
        claimed = self._of(State.CLAIMED, owned=True)
        repository._unclaim(self.cursor, OURS, self.run_id, claimed)
        for number in claimed:
            self.chunks[number] = attrs.evolve(self.chunks[number], state=State.PENDING, run_id=None)

    @invariant()
    def rows_agree(self) -> None:
        query = "SELECT number, state, recipients, run, depth FROM chunk ORDER BY number"
        assert self.cursor.execute(query).fetchall() == [
            (number, row.state, row.size, row.run_id, row.depth) for number, row in sorted(self.chunks.items())
        ]

    @invariant()
    def sums_agree(self) -> None:
        report = CampaignReport()
        sums.fill(self.cursor, OURS, report)
        counted: Counter[str] = Counter()
        for row in self.chunks.values():
            counted[State.PENDING if row.state is State.CLAIMED else row.state] += row.size
        del counted[State.SPLIT]
        assert {word: getattr(report, word) for word in counted} == counted
        # a chunk moved to split by hand has no halves; all others add up
        assert report.accounted == counted.total()
        taken = [row for row in self.chunks.values() if row.state in {State.ACCEPTED, State.FAILED}]
        perhaps = [row for row in self.chunks.values() if row.state in {State.UNKNOWN, State.IN_FLIGHT}]
        assert report.cost == sum(row.cost or 0 for row in taken)
        assert report.requests_without_cost == sum(row.cost is None for row in taken)
        assert report.committed == sum(max(Decimal(row.size), row.cost or Decimal(0)) for row in [*taken, *perhaps])


@pytest.fixture
def database(url):
    opened = database_of(url, read_only=False, lease=30.0)
    opened.open()
    yield opened
    opened.close()


def test_a_dict_of_chunks_does_what_the_journal_does(database) -> None:
    """Whatever happens in whatever order: the rows, the sums and who may do what are those of the model."""
    run_state_machine_as_test(lambda: JournalModel(database), settings=examples(60, stateful_step_count=40))


def test_a_damaged_payload_is_never_claimed(database) -> None:
    """What a chunk's recipients are is checked before they are sent to."""
    model = JournalModel(database)
    model.load([3])
    model.cursor.execute("UPDATE payload SET checksum = 'x'")
    with pytest.raises(repository.JournalDamagedError, match="chunk 1"):
        model.claim(1)
    model.teardown()
