from __future__ import annotations

import numpy as np
import pytest
from book_captures import COUNTER, LINKED, RANGE, levels_of
from book_twins import PlainSequence
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.book.mechanisms import step
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
)
from engines.wire.grammar import SequenceRule
from engines.wire.layout import EVENT_TIME


class Machine:
    def __init__(self, rule: SequenceRule) -> None:
        self.state = np.zeros(STATE_SIZE, np.int64)
        start(self.state, rule)

    def step(
        self, first: int, last: int, previous: int, snapshot: bool = False, empty: bool = False, time: int = 0
    ) -> str:
        header, _ = levels_of(
            [] if empty else [(1, 1)], [], first=first, last=last, previous=previous, kind=int(snapshot)
        )
        header[EVENT_TIME] = time
        return Action(step(self.state, header)).name


DENSE = SequenceRule("range")
DENSE_STRICT = SequenceRule("range", restart_id=1, strict=True)
DENSE_REST = SequenceRule("range", seed="rest")
DENSE_REST_STRICT = SequenceRule("range", restart_id=1, seed="rest", strict=True)
OVERLAPPING = SequenceRule("linked", restart_id=0, first_overlaps=True)
SNAPSHOTS = SequenceRule("snapshots")
UNSEQUENCED = SequenceRule("unsequenced")
RULES = [
    RANGE,
    COUNTER,
    LINKED,
    DENSE,
    DENSE_STRICT,
    DENSE_REST,
    DENSE_REST_STRICT,
    OVERLAPPING,
    SNAPSHOTS,
    UNSEQUENCED,
]

FRAME = st.tuples(
    st.integers(0, 12), st.integers(0, 12), st.integers(-1, 12), st.booleans(), st.booleans(), st.integers(0, 3)
)
NEXT = st.integers(-2, 2)  # the ids that follow, off by a little: so that chains grow long
EVENT = st.one_of(FRAME, NEXT.map(lambda off: ("next", off)), st.integers(-1, 12), st.just("lose"))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(RULES), st.lists(EVENT, max_size=60))
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
            if event[0] == "next":  # type: ignore[index]
                first = twin.last + 1 + event[1]  # type: ignore[index]
                frame = (first, first + 2, twin.last, False, False, twin.time)
            else:
                frame = event  # type: ignore[assignment]
            assert machine.step(*frame) == twin.step(*frame)
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
    for rule in (RANGE, COUNTER, LINKED, DENSE, DENSE_STRICT, DENSE_REST, OVERLAPPING):
        machine = Machine(rule)
        if rule.seeded_by_rest:
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


def test_dense_ids_seeded_by_the_stream() -> None:
    machine = Machine(DENSE)
    assert machine.step(5, 7, 0) == "IGNORE"  # before the first snapshot
    assert machine.step(0, 7, 0, snapshot=True) == "REPLACE"
    assert machine.step(8, 9, 0) == "APPLY"
    assert machine.step(10, 12, 0, empty=True) == "APPLY"  # without levels it moves the id all the same
    assert machine.step(11, 14, 0) == "APPLY"  # overlaps: 13 is inside
    assert machine.step(12, 14, 0) == "IGNORE"
    assert machine.step(16, 17, 0) == "GAP"
    assert machine.step(18, 19, 0) == "IGNORE"
    assert machine.step(0, 30, 0, snapshot=True) == "REPLACE"


def test_a_strict_venue_never_overlaps_and_a_restart_is_a_gap() -> None:
    machine = Machine(DENSE_STRICT)
    machine.step(0, 7, 0, snapshot=True)
    assert machine.step(7, 9, 0) == "GAP"
    machine.step(0, 7, 0, snapshot=True)
    assert machine.step(1, 1, 0) == "GAP"  # smaller ids are ignored, but this one says that the service restarted
    machine.step(0, 1, 0, snapshot=True)
    assert machine.step(2, 2, 0) == "APPLY"


def test_binance_spot_joins_dense_ids_to_the_snapshot() -> None:
    machine = Machine(DENSE_REST)
    assert machine.step(90, 95, 0) == "REBUFFER"
    assert machine.step(96, 105, 0) == "BUFFER"
    seed(machine.state, 100)
    assert machine.step(90, 95, 0) == "IGNORE"
    assert machine.step(96, 100, 0) == "IGNORE"  # u <= L
    assert machine.step(96, 105, 0) == "APPLY"  # U <= L + 1 <= u
    assert machine.step(106, 120, 0) == "APPLY"
    assert machine.step(122, 125, 0) == "GAP"
    assert machine.step(126, 130, 0) == "BUFFER"
    seed(machine.state, 120)
    assert machine.step(122, 125, 0) == "TOO_OLD"  # 121 is in neither
    seed(machine.state, -1)  # the snapshot of an empty listing
    assert machine.step(4_000, 4_001, 0) == "APPLY"
    assert machine.step(4_003, 4_003, 0) == "GAP"


def test_the_first_frame_after_a_snapshot_may_overlap_it_once() -> None:
    machine = Machine(OVERLAPPING)
    machine.step(0, 100, 0, snapshot=True)
    assert machine.step(0, 104, 97) == "APPLY"
    assert machine.step(0, 106, 103) == "GAP"
    machine.step(0, 200, 0, snapshot=True)
    assert machine.step(0, 204, 0) == "GAP"  # a link to the restart id is a reset, and no overlap
    strict = Machine(LINKED)
    strict.step(0, 100, 0, snapshot=True)
    assert strict.step(0, 104, 97) == "GAP"


def test_whole_books_never_go_back_in_time() -> None:
    machine = Machine(SNAPSHOTS)
    assert machine.step(0, 0, 0, time=10) == "REPLACE"
    assert machine.step(0, 0, 0, time=10) == "REPLACE"
    assert machine.step(0, 0, 0, time=9) == "IGNORE"
    assert machine.step(0, 0, 0) == "REPLACE"  # says no time
    answers = [machine.step(0, 0, 0, time=9) for _ in range(STALE_LIMIT + 1)]
    assert answers == ["IGNORE"] * STALE_LIMIT + ["GAP"]
    assert machine.step(0, 0, 0, time=9) == "REPLACE"


def test_a_stream_without_ids_applies_everything_after_its_snapshot() -> None:
    machine = Machine(UNSEQUENCED)
    assert machine.step(0, 0, 0) == "IGNORE"
    assert machine.step(0, 0, 0, empty=True) == "IGNORE"
    assert machine.step(0, 0, 0, snapshot=True) == "REPLACE"
    assert machine.step(0, 0, 0) == "APPLY"
    assert machine.step(0, 0, 0, empty=True) == "KEEPALIVE"


@pytest.mark.parametrize("rule", [RANGE, COUNTER, DENSE, DENSE_REST])
def test_ids_that_went_back_for_good_are_a_gap_in_the_end(rule: SequenceRule) -> None:
    machine = Machine(rule)
    if rule.seeded_by_rest:
        seed(machine.state, 1000)
        machine.step(1000, 1001, 1000)
    else:
        machine.step(0, 1001, 0, snapshot=True)
    answers = [machine.step(10 + i, 10 + i, 9 + i) for i in range(STALE_LIMIT + 1)]
    assert answers == ["IGNORE"] * STALE_LIMIT + ["GAP"]
