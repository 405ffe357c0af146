"""The life machine: its laws for any readings, and its holds one by one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.life import MAX_GAP, SECOND, STALE_AFTER, TOP, UNKNOWN, Holds, Life, reading

HOLDS = Holds.seconds((2, 3, 4), ease=5, close=6)
NO_HOLDS = Holds.seconds((0, 0, 0), ease=0, close=0)

levels = st.one_of(st.none(), st.integers(0, TOP))
steps = st.lists(st.tuples(st.integers(0, 12 * SECOND), levels, levels), max_size=200)


@given(steps, st.sampled_from([HOLDS, NO_HOLDS]))
def test_laws_of_a_life(steps: list[tuple[int, int | None, int | None]], holds: Holds) -> None:
    life, at, open_now, sequence, level = Life(), 0, False, 0, 0
    for wait, reached, kept in steps:
        at += wait
        seen = reading(reached, kept)
        change = life.feed(seen, holds, at)
        if change is None:
            assert life.level == level
            assert life.sequence == sequence or not open_now
            continue
        if change == "opened":
            assert not open_now
            assert seen.reached is not None
            assert seen.reached >= 1
            open_now, sequence = True, 1
        else:
            assert open_now  # close, escalate and ease only what is open
            sequence += 1
        assert life.sequence == sequence
        if change == "closed":
            assert seen.kept == 0
            assert life.level == 0
            open_now = False
        elif change == "escalated":
            assert level < life.level <= (seen.reached or 0)
        elif change == "eased":
            assert seen.kept is not None
            assert max(1, seen.kept) <= life.level < level
        level = life.level


@given(st.lists(st.sampled_from([UNKNOWN, reading(None, 3), reading(0, None)]), max_size=100), st.integers(0, TOP))
def test_unknown_neither_opens_nor_closes(readings: list, level: int) -> None:
    life = Life(level=level, sequence=1)
    for second, seen in enumerate(readings):
        if seen.reached == 0 and seen.kept == 3:
            continue
        assert life.feed(seen, NO_HOLDS, second * SECOND) is None


@given(st.lists(st.floats(0.61, 0.99), min_size=1, max_size=300))
def test_inside_the_hysteresis_nothing_moves(values: list[float]) -> None:
    """A figure between the closing threshold (0.6) and the opening one (1.0) neither opens a closed nor closes an open alert."""
    for start in (0, 1):
        life = Life(level=start, sequence=start)
        for second, value in enumerate(values):
            seen = reading(int(value >= 1.0), int(value >= 0.6))
            assert life.feed(seen, NO_HOLDS, second * SECOND) is None


def feed_all(
    life: Life, plan: list[tuple[float, tuple[int | None, int | None]]], holds: Holds = HOLDS
) -> list[tuple[float, str, int]]:
    found = []
    for second, (reached, kept) in plan:
        change = life.feed(reading(reached, kept), holds, round(second * SECOND))
        if change:
            found.append((second, change, life.level))
    return found


def seconds(first: int, last: int, reached: int | None, kept: int | None) -> list:
    return [(second, (reached, kept)) for second in range(first, last)]


def test_holds_to_open_escalate_ease_and_close() -> None:
    plan = [*seconds(0, 10, 1, 1), *seconds(10, 20, 3, 3), *seconds(20, 30, 1, 2), *seconds(30, 50, 0, 0)]
    assert feed_all(Life(), plan) == [
        (2, "opened", 1),
        (13, "escalated", 2),
        (14, "escalated", 3),
        (25, "eased", 2),
        (35, "eased", 1),
        (36, "closed", 0),
    ]


def test_one_reading_of_calm_starts_the_hold_anew() -> None:
    plan = [(0, (1, 1)), (1, (1, 1)), (1.5, (0, 0)), (2, (1, 1)), (3, (1, 1)), (3.9, (1, 1)), (4, (1, 1))]
    assert feed_all(Life(), plan) == [(4, "opened", 1)]


def test_a_hole_in_time_is_not_a_hold() -> None:
    gap = MAX_GAP / SECOND + 1
    assert feed_all(Life(), [(0, (1, 1)), (gap, (1, 1)), (gap + 1, (1, 1))]) == []
    assert feed_all(Life(), [(0, (1, 1)), (gap, (1, 1)), (gap + 2, (1, 1))]) == [(gap + 2, "opened", 1)]


def test_every_life_begins_at_one() -> None:
    life = Life()
    plan = [*seconds(0, 3, 1, 1), *seconds(3, 12, 0, 0), *seconds(12, 16, 1, 1)]
    assert [change for _, change, _ in feed_all(life, plan)] == ["opened", "closed", "opened"]
    assert (life.sequence, life.opened_at) == (1, 14 * SECOND)


def test_restored_and_never_confirmed_is_stale_after_ten_minutes() -> None:
    life = Life.restored(2, 7, 0, at=100 * SECOND)
    for second in range(100, 100 + STALE_AFTER // SECOND):
        assert life.feed(UNKNOWN, HOLDS, second * SECOND) is None
        assert not life.stale(second * SECOND)
    assert life.stale(100 * SECOND + STALE_AFTER)
    assert life.close(100 * SECOND + STALE_AFTER) == "closed"
    assert life.sequence == 8


def test_restored_and_confirmed_lives_on_with_its_sequence() -> None:
    life = Life.restored(1, 7, 0, at=0)
    life.feed(reading(0, 1), HOLDS, SECOND)
    for second in range(2, 2000):
        life.feed(UNKNOWN, HOLDS, second * SECOND)
    assert not life.stale(2000 * SECOND)
    assert feed_all(life, seconds(2000, 2010, 0, 0)) == [(2006, "closed", 0)]
    assert life.sequence == 8


def test_nothing_said_at_all_for_ten_minutes_is_stale_too() -> None:
    life = Life()
    feed_all(life, seconds(0, 3, 1, 1))
    assert not life.stale(2 * SECOND + STALE_AFTER - 1)
    assert life.stale(2 * SECOND + STALE_AFTER)


@pytest.mark.parametrize("holds", [HOLDS, NO_HOLDS])
def test_time_that_runs_backwards_is_read_as_now(holds: Holds) -> None:
    life = Life()
    changes = [life.feed(reading(1, 1), holds, at * SECOND) for at in (10, 5, 11, 12)]
    assert changes.count("opened") == 1
    assert all(first <= second for first, second in pairwise([life.opened_at, 12 * SECOND]))
