from __future__ import annotations

import numpy as np
import pytest
from book_captures import COUNTER, LINKED, RANGE, levels_of
from book_twins import PlainSequence
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book.sequence import (
    EPOCH,
    GAPS,
    LAST,
    STALE_LIMIT,
    STATE_SIZE,
    STATUS,
    Action,
    lose,
    seed,
    start,
    step,
)
from engines.wire.grammar import SequenceRule


class Machine:
    def __init__(self, rule: SequenceRule) -> None:
        self.state = np.zeros(STATE_SIZE, np.int64)
        start(self.state, rule)

    def step(self, first: int, last: int, previous: int, snapshot: bool = False, empty: bool = False) -> str:
        header, _ = levels_of(
            [] if empty else [(1, 1)], [], first=first, last=last, previous=previous, kind=int(snapshot)
        )
        return Action(step(self.state, header)).name


FRAME = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(-1, 12), st.booleans(), st.booleans())
EVENT = st.one_of(FRAME, FRAME, FRAME, st.integers(0, 12), st.just("lose"))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([RANGE, COUNTER, LINKED]), st.lists(EVENT, max_size=60))
def test_the_kernel_answers_like_its_twin(rule: SequenceRule, events: list[object]) -> None:
    machine, twin = Machine(rule), PlainSequence(rule)
    for event in events:
        if event == "lose":
            lose(machine.state)
            twin.lose()
        elif isinstance(event, int):
            if rule.seeded_by_rest:
                seed(machine.state, event)
                twin.seed(event)
        else:
            first, last, previous, snapshot, empty = event  # type: ignore[misc]
            assert machine.step(first, last, previous, snapshot, empty) == twin.step(
                first, last, previous, snapshot, empty
            )
        assert ("empty", "seeded", "live")[machine.state[STATUS]] == twin.status
        if twin.status != "empty":
            assert machine.state[LAST] == twin.last


def test_binance_first_event_straddles_the_snapshot() -> None:
    machine = Machine(RANGE)
    assert machine.step(90, 95, 89) == "REBUFFER"
    assert machine.step(97, 105, 95) == "BUFFER"
    seed(machine.state, 100)
    assert machine.step(90, 95, 89) == "IGNORE"  # u < L
    assert machine.step(97, 105, 95) == "APPLY"  # U <= L <= u
    assert machine.step(110, 120, 105) == "APPLY"  # ids are not dense, the link decides


def test_binance_first_event_continues_the_snapshot() -> None:
    machine = Machine(RANGE)
    seed(machine.state, 100)
    assert machine.step(104, 110, 100) == "APPLY"  # pu == L


def test_binance_snapshot_too_old() -> None:
    machine = Machine(RANGE)
    seed(machine.state, 100)
    assert machine.step(104, 110, 103) == "TOO_OLD"
    assert machine.step(111, 115, 110) == "BUFFER"


def test_a_gap_is_a_new_epoch_in_the_same_step() -> None:
    for rule in (RANGE, COUNTER, LINKED):
        machine = Machine(rule)
        if rule is RANGE:
            seed(machine.state, 10)
            machine.step(10, 11, 10)
        else:
            machine.step(0, 11, -1, snapshot=True)
        epoch = machine.state[EPOCH]
        assert machine.step(13, 13, 12) == "GAP"
        assert machine.state[EPOCH] == epoch + 1
        assert machine.state[GAPS] == 1
        assert machine.state[STATUS] == 0


def test_bybit_restart_replaces_whatever_its_label() -> None:
    machine = Machine(COUNTER)
    assert machine.step(0, 7, 0) == "IGNORE"  # before the first snapshot
    assert machine.step(0, 7, 0, snapshot=True) == "REPLACE"
    assert machine.step(0, 8, 0) == "APPLY"
    assert machine.step(0, 8, 0) == "IGNORE"
    assert machine.step(0, 1, 0) == "REPLACE"
    assert machine.step(0, 2, 0) == "APPLY"
    assert machine.step(0, 4, 0) == "GAP"
    assert machine.step(0, 5, 0) == "IGNORE"


def test_okx_keepalive_and_reset() -> None:
    machine = Machine(LINKED)
    assert machine.step(0, 10, -1, snapshot=True) == "REPLACE"
    assert machine.step(0, 15, 10) == "APPLY"
    assert machine.step(0, 15, 15, empty=True) == "KEEPALIVE"
    assert machine.step(0, 3, 15) == "RESET"
    assert machine.step(0, 5, 3) == "APPLY"
    assert machine.step(0, 5, 3) == "IGNORE"  # the same frame twice
    assert machine.step(0, 9, 6) == "GAP"


@pytest.mark.parametrize("rule", [RANGE, COUNTER])
def test_ids_that_went_back_for_good_are_a_gap_in_the_end(rule: SequenceRule) -> None:
    machine = Machine(rule)
    if rule is RANGE:
        seed(machine.state, 1000)
        machine.step(1000, 1001, 1000)
    else:
        machine.step(0, 1001, 0, snapshot=True)
    answers = [machine.step(10 + i, 10 + i, 9 + i) for i in range(STALE_LIMIT + 1)]
    assert answers == ["IGNORE"] * STALE_LIMIT + ["GAP"]
