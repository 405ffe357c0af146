"""Connections whose frames are numbered through: nothing after a hole is read, nothing old is read twice."""

from __future__ import annotations

import pytest
from feed_fakes import SECOND, NumberingVenue, TinyVenue, book, data, numbered
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.events import CloseConnection
from monitor.feed.numbers import OLD_IN_A_ROW
from monitor.feed.session import CLOSE_SPACING, ConnectionSession
from monitor.venues.base import ConnectionPlan, Ping

A, B = book("A"), book("B", None)
QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)
GAP = [CloseConnection("tiny", 0, "connection_gap")]


def session_of(venue: type[TinyVenue] = NumberingVenue) -> ConnectionSession:
    session = ConnectionSession(venue(ping=QUIET), 0, ConnectionPlan("p", "ws://x/", (A, B)), 0, 7)
    session.start(0)
    return session


@pytest.mark.parametrize("first", [0, 1, 17, 10**15])
def test_the_first_number_is_taken_whatever_it_is(first: int) -> None:
    session = session_of()
    assert session.route(numbered(A, first), 1) is A
    assert session.route(numbered(B, first + 1), 2) is B
    assert not session.broken
    assert session.drain(2) == []


def test_a_jump_breaks_the_connection_in_the_same_call() -> None:
    session = session_of()
    session.route(numbered(A, 5), 1)
    assert session.route(numbered(B, 7), 2) is None
    assert session.broken
    assert session.drain(2) == GAP
    assert session.drain(2) == []
    for frame in (numbered(A, 8), numbered(A, 6), data(A), b"pong", b'{"bye":"x"}'):  # nothing is read any more
        assert session.route(frame, 3) is None
        assert session.drain(3) == []
    assert session.heard_at == 1
    assert session.counts[A.channel].messages == 1
    assert session.other.messages == 6


def test_old_numbers_are_dropped_and_counted() -> None:
    session = session_of()
    session.route(numbered(A, 5), 1)
    for old in (5, 4, 0):
        assert session.route(numbered(A, old), 2) is None
    assert session.old_frames == 3
    assert not session.broken
    assert session.route(numbered(A, 6), 3) is A


def test_numbers_that_began_anew_break_the_connection_after_a_bound() -> None:
    session = session_of()
    session.route(numbered(A, 1000), 1)
    for number in range(OLD_IN_A_ROW):
        assert session.route(numbered(A, number), 2) is None
        assert session.route(data(B), 2) is B  # has no number and ends no row
    assert not session.broken
    assert session.drain(2) == []
    assert session.route(numbered(A, OLD_IN_A_ROW), 3) is None
    assert session.broken
    assert session.drain(3) == GAP
    assert session.old_frames == OLD_IN_A_ROW + 1
    assert session.route(data(B), 4) is None


def test_old_numbers_between_new_ones_are_borne_without_end() -> None:
    session = session_of()
    session.route(numbered(A, 0), 1)
    for number in range(1, 5):
        for _ in range(OLD_IN_A_ROW):
            assert session.route(numbered(A, number - 1), 2) is None
        assert session.route(numbered(A, number), 2) is A
    assert session.old_frames == 4 * OLD_IN_A_ROW
    assert not session.broken


def test_dropped_frames_are_no_sign_of_life() -> None:
    venue = NumberingVenue(ping=QUIET, silence_seconds=10.0)
    session = ConnectionSession(venue, 0, ConnectionPlan("p", "ws://x/", (B,)), 0, 7)
    session.start(0)
    session.route(numbered(B, 50), SECOND)
    for second in range(2, 11):
        assert session.route(numbered(B, second), second * SECOND) is None
        assert session.tick(second * SECOND) == []
    assert session.heard_at == SECOND
    assert session.tick(12 * SECOND) == [CloseConnection("tiny", 0, "silent")]


def test_frames_without_a_number_pass_between() -> None:
    session = session_of()
    session.route(numbered(A, 5), 1)
    assert session.route(data(B), 2) is B
    assert session.route(b"pong", 2) is None
    assert session.route(numbered(A, 6), 3) is A


def test_a_close_that_is_not_carried_out_is_asked_for_again() -> None:
    session = session_of()
    session.route(numbered(A, 1), 1)
    session.route(numbered(A, 3), 2)
    assert session.drain(2) == GAP
    assert session.tick(SECOND) == []
    assert session.tick(2 + CLOSE_SPACING) == GAP
    assert session.broken


def test_a_frame_to_be_split_is_admitted_once_and_its_parts_are_not_asked() -> None:
    session = session_of()
    assert session.admits(numbered(A, 5), 1)
    assert session.route_part(numbered(A, 5), 1) is A
    assert session.route_part(numbered(B, 5), 1) is B
    assert session.admits(numbered(A, 6), 2)
    assert not session.admits(numbered(A, 8), 3)
    assert session.broken
    assert session.drain(3) == GAP


def test_a_number_that_cannot_be_read_is_no_number() -> None:
    session = session_of()
    assert session.route(b'{"t":"book.A","n":x}', 1) is A
    assert not session.broken


def test_other_venues_have_no_numbers() -> None:
    session = session_of(TinyVenue)
    assert session.route == session.route_part  # and so pay nothing for them
    assert session.admits(numbered(A, 9), 1)
    assert session.route(numbered(A, 9), 1) is A
    assert session.route(numbered(A, 3), 1) is A
    assert not session.broken
    assert session.old_frames == 0


@given(st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=40))
@example([3, 4, 4, 2, 5, 7, 8])
@example([3, *range(OLD_IN_A_ROW + 1), 4])
@example([8, 9, None, *([2] * (OLD_IN_A_ROW + 1)), 10])
@example([8, 9, *([2] * OLD_IN_A_ROW), None, 10, 2, 11])
def test_what_is_read_is_one_dense_run(numbers: list[int | None]) -> None:
    session = session_of()
    taken: list[int] = []
    old_in_a_row = 0
    for at, number in enumerate(numbers, 1):
        was_broken = session.broken
        frame = data(A) if number is None else numbered(A, number)
        topic = session.route(frame, at)
        closes = session.drain(at)
        assert (closes == GAP) == (session.broken and not was_broken)
        if topic is not None:
            assert not session.broken
            if number is not None:
                taken.append(number)
            old_in_a_row = 0 if number is not None else old_in_a_row
        elif not was_broken:
            assert number is not None
            old = number <= taken[-1]
            old_in_a_row += old
            assert session.broken == (not old or old_in_a_row > OLD_IN_A_ROW)
    assert taken == list(range(taken[0], taken[0] + len(taken))) if taken else True
