"""Commands in the journal: who may put a request in flight, and when a pause is confirmed; against a model."""

from __future__ import annotations

import tempfile
from decimal import Decimal

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from callsavvy_async.bulk.chunks import Chunk
from callsavvy_async.bulk.recipients import Recipient
from callsavvy_async.campaigns import Action, Phase, State
from callsavvy_async.campaigns.journal import commands, repository, runs
from callsavvy_async.campaigns.journal.commands import Orders, SetLimit
from callsavvy_async.campaigns.journal.repository import ChunkUpdate
from callsavvy_async.campaigns.journal.sqlite import SQLite
from callsavvy_async.campaigns.states import Actor
from tests.profiles import examples

OURS = 1
PHASES = {Action.PAUSE: Phase.PAUSED, Action.CONTINUE: Phase.SENDING, Action.STOP: Phase.STOPPED}


@attrs.define
class Row:
    state: State
    run_id: int | None = None


class Steered(RuleBasedStateMachine):
    """Runs that claim, depart and settle; commands from another connection; kills. The model knows what may depart."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.database = SQLite(f"sqlite:///{self._folder.name}/journal.db", read_only=False)
        self.database.open()
        self.cursor = self.database.cursor()
        self.other = SQLite(f"sqlite:///{self._folder.name}/journal.db", read_only=True)
        self.other.open()
        self.alive: dict[int, int] = {}
        """The last command that each live run acknowledged."""
        self.number = 0
        self.phase = Phase.SENDING

    def teardown(self) -> None:
        self.other.close()
        self.database.close()
        self._folder.cleanup()

    @initialize(count=st.integers(1, 6))
    def load(self, count: int) -> None:
        self.cursor.execute("INSERT INTO campaign (id, name, spec, created) VALUES (1, 'c', '', 0)")
        chunks = [
            Chunk(n, "Hi", (Recipient(f"+23480{n:08}", row=n),), estimate=Decimal(1)) for n in range(1, count + 1)
        ]
        repository.insert_chunks(self.cursor, OURS, chunks, common="Hi", load=1)
        self.chunks = {n: Row(State.PENDING) for n in range(1, count + 1)}

    @rule()
    def begin(self) -> None:
        run_id = runs.begin(self.cursor, OURS, None)
        assert commands.acknowledge(self.cursor, OURS, run_id, commands.current(self.cursor, OURS))
        self.alive[run_id] = self.number

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), limit=st.integers(1, 3))
    def claim(self, data: st.DataObject, limit: int) -> None:
        run_id = data.draw(st.sampled_from(sorted(self.alive)))
        for chunk in repository.claim(self.cursor, OURS, run_id, zone="", since=0, limit=limit, text="Hi").chunks:
            self.chunks[chunk.number] = Row(State.CLAIMED, run_id)

    @precondition(lambda self: self._of(State.CLAIMED))
    @rule(data=st.data())
    def depart(self, data: st.DataObject) -> None:
        """A claimed chunk departs exactly when the last command lets the campaign send."""
        number = data.draw(st.sampled_from(self._of(State.CLAIMED)))
        departed = self._departs(number)
        assert departed == (self.phase is Phase.SENDING)
        if departed:
            self.chunks[number].state = State.IN_FLIGHT

    @precondition(lambda self: self._of(State.IN_FLIGHT))
    @rule(data=st.data(), to=st.sampled_from([State.ACCEPTED, State.PENDING, State.CLAIMED]))
    def land(self, data: st.DataObject, to: State) -> None:
        number = data.draw(st.sampled_from(self._of(State.IN_FLIGHT)))
        run_id = self.chunks[number].run_id
        repository.move(self.cursor, OURS, number, ChunkUpdate(to), by=Actor.OWNER, run_id=run_id)
        self.chunks[number].state = to

    @precondition(lambda self: self._of(State.IN_FLIGHT))
    @rule(data=st.data())
    def depart_again(self, data: st.DataObject) -> None:
        """After a COMMIT that was not confirmed, the write-ahead is repeated; a command in between forbids the request."""
        number = data.draw(st.sampled_from(self._of(State.IN_FLIGHT)))
        assert self._departs(number) == (self.phase is Phase.SENDING)

    @rule(action=st.sampled_from(Action), rate=st.sampled_from(["10/s", "5/min"]))
    def command(self, action: Action, rate: str) -> None:
        """Another process gives a command, without the lock of the journal."""
        limits = {"rate": rate} if action is Action.SET else {}
        given = self.other.steer(
            self.other.cursor(), lambda cursor: commands.record(cursor, OURS, "ada", action, limits)
        )
        self.number += 1
        assert given == self.number
        self.phase = PHASES.get(action, self.phase)

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        """A run acknowledges a pause only with nothing in flight."""
        run_id = data.draw(st.sampled_from(sorted(self.alive)))
        done = commands.acknowledge(self.cursor, OURS, run_id, commands.current(self.cursor, OURS))
        busy = any(row.run_id == run_id for n in self._of(State.IN_FLIGHT) if (row := self.chunks[n]))
        assert done == (self.phase is Phase.SENDING or not busy)
        if done:
            self.alive[run_id] = self.number

    @precondition(lambda self: self.alive)
    @rule()
    def kill_all(self) -> None:
        """The process dies, and the next one takes over."""
        runs.take_over(self.cursor, [OURS], all_are_dead=True)
        self.alive.clear()
        for row in self.chunks.values():
            row.state = {State.CLAIMED: State.PENDING, State.IN_FLIGHT: State.UNKNOWN}.get(row.state, row.state)

    @invariant()
    def a_confirmed_pause_is_one(self) -> None:
        """Both connections see the same orders; a confirmed pause has nothing in flight and lets nothing depart."""
        for cursor in (self.cursor, self.other.cursor()):
            orders = commands.current(cursor, OURS)
            assert (orders.number, orders.phase) == (self.number, self.phase)
            waiting = commands.unacknowledged(cursor, OURS, self.number)
            assert len(waiting) == sum(number < self.number for number in self.alive.values())
            if self.phase is not Phase.SENDING and not waiting:
                assert not self._of(State.IN_FLIGHT)

    def _departs(self, number: int) -> bool:
        departure = commands.depart(self.cursor, OURS, number, self.chunks[number].run_id or 0, "00ff")
        return departure is not commands.Departure.FORBIDDEN

    def _of(self, state: State) -> list[int]:
        return [number for number, row in sorted(getattr(self, "chunks", {}).items()) if row.state is state]


def test_the_commands_agree_with_the_model() -> None:
    """Whatever happens in whatever order: a request departs only while the last command allows it."""
    run_state_machine_as_test(Steered, settings=examples(60, stateful_step_count=30))


def test_a_command_replaces_earlier_options_and_later_ones_only_lower_it() -> None:
    """A process that runs obeys; one that starts later, with a lower option, keeps to that."""
    orders = Orders(7, limits={"max_cost": SetLimit("50", 5), "max_in_flight": SetLimit("8", 5)})
    assert [orders.max_cost(own, 4) for own in (None, Decimal(10), Decimal(90))] == [50, 50, 50]
    assert [orders.max_cost(own, 5) for own in (None, Decimal(10), Decimal(90))] == [50, 10, 50]
    assert [orders.max_in_flight(own, at) for own, at in ((4, 0), (4, 5), (64, 9))] == [8, 4, 8]
    assert Orders().max_cost(Decimal(3), 0) == 3
    assert (Orders().max_in_flight(64, 0), Orders().rate) == (64, None)
