"""Topics whose first frame is due whatever the market does, and connections on which nothing at all comes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import orjson
from feed_fakes import SECOND, TinyVenue, ack, book, data, liquidations

from monitor.events import CloseConnection, Send
from monitor.feed.faults import Fault, FaultKind
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.venues.base import ConnectionPlan, Ping, Topic

QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)
QUIET_BOOK = book("A", None, first=10.0)  # a snapshot within 10 s, then any silence is normal
OTHER = book("B", None, first=10.0)


def session_of(*topics: Topic, **limits: object) -> ConnectionSession:
    return ConnectionSession(TinyVenue(**{"ping": QUIET, **limits}), 0, ConnectionPlan("p", "ws://x/", topics), 0, 7)


def asked(actions: Sequence[object]) -> list[tuple[str, list[str]]]:
    said = [orjson.loads(action.text) for action in actions if isinstance(action, Send)]
    return [(one["op"], one["topics"]) for one in said]


def test_one_that_spoke_may_be_silent_for_ever() -> None:
    session = session_of(QUIET_BOOK)
    session.start(0)
    session.route(ack(1), SECOND)
    assert not session.carrying  # an ack says nothing yet
    session.route(data(QUIET_BOOK), 2 * SECOND)
    assert session.carrying
    for second in range(3, 4000):
        assert session.tick(second * SECOND) == []
    assert session.faults() == ()


def test_the_time_counts_from_the_ack() -> None:
    session = session_of(QUIET_BOOK, OTHER, ack_timeout_seconds=60.0)
    session.start(0)
    session.tick(50 * SECOND)
    assert session.faults() == ()
    session.route(ack(1), 50 * SECOND)
    session.route(data(OTHER), 50 * SECOND)
    session.tick(60 * SECOND)
    assert session.faults() == ()
    session.tick(61 * SECOND)
    assert session.faults() == (Fault(FaultKind.SILENT, QUIET_BOOK.key, 50 * SECOND),)


def test_acknowledged_and_silent_is_named_and_asked_again_at_a_doubling_distance() -> None:
    """The other topic, quiet and well, keeps its connection."""
    session = session_of(QUIET_BOOK, OTHER)
    session.start(0)
    session.route(ack(1), 0)
    session.route(data(OTHER), 0)
    left: list[int] = []
    for second in range(1, 1000):
        for action in session.tick(second * SECOND):
            assert isinstance(action, Send)
            said = orjson.loads(action.text)
            assert said["topics"] == [QUIET_BOOK.key]
            if said["op"] == "unsub":
                left.append(second)
            session.route(ack(said["id"]), second * SECOND)
        for action in session.drain(second * SECOND):
            assert isinstance(action, Send)
            session.route(ack(orjson.loads(action.text)["id"]), second * SECOND)
        assert second <= 10 or session.is_silent(QUIET_BOOK.key)
    gaps = [later - earlier for earlier, later in pairwise(left)]
    assert left[0] == 11
    assert gaps[:4] == [20, 40, 80, 160]
    assert session.route(data(QUIET_BOOK), 1000 * SECOND) is QUIET_BOOK
    assert session.faults() == ()


def test_a_snapshot_before_the_ack_counts() -> None:
    session = session_of(QUIET_BOOK)
    session.start(0)
    session.route(data(QUIET_BOOK), 1)
    session.route(ack(1), 2)
    assert session.phase(QUIET_BOOK.key) is Phase.LIVE
    assert session.tick(500 * SECOND) == []


def test_a_book_subscribed_anew_must_speak_again() -> None:
    session = session_of(QUIET_BOOK, OTHER)
    session.start(0)
    session.route(ack(1), 0)
    session.route(data(QUIET_BOOK), 1)
    session.route(data(OTHER), 1)
    session.resubscribe(QUIET_BOOK, 100 * SECOND)
    session.drain(100 * SECOND)
    session.route(ack(2), 100 * SECOND)
    session.drain(100 * SECOND)
    session.route(ack(3), 100 * SECOND)
    assert session.phase(QUIET_BOOK.key) is Phase.ACKED
    assert not session.carrying
    session.tick(111 * SECOND)
    assert session.is_silent(QUIET_BOOK.key)


def test_then_its_usual_silence_holds() -> None:
    topic = book("A", 30.0, first=5.0)
    session = session_of(topic, OTHER)
    session.start(0)
    session.route(ack(1), 0)
    session.route(data(OTHER), 1)
    session.route(data(topic), 4 * SECOND)
    session.tick(34 * SECOND)
    assert not session.is_silent(topic.key)
    session.tick(35 * SECOND)
    assert session.is_silent(topic.key)


def test_a_connection_on_which_no_topic_ever_spoke_is_left() -> None:
    session = session_of(QUIET_BOOK, OTHER)
    session.start(0)
    session.route(ack(1), 0)
    assert session.tick(11 * SECOND) == [CloseConnection("tiny", 0, "silent")]


def test_nothing_at_all_for_too_long_is_a_dead_connection() -> None:
    """Topics that may all be silent: only the connection's own bound finds it."""
    session = session_of(liquidations("A"), silence_seconds=15.0)
    session.start(0)
    session.route(ack(1), 10 * SECOND)
    assert session.tick(25 * SECOND) == []
    session.route(b"pong", 25 * SECOND)  # control frames are life
    assert session.tick(40 * SECOND) == []
    assert session.tick(41 * SECOND) == [CloseConnection("tiny", 0, "silent")]
    assert session.tick(42 * SECOND) == []  # asked once


def test_a_connection_that_never_said_a_word_is_dead_too() -> None:
    session = session_of(liquidations("A"), silence_seconds=15.0)
    session.start(0)
    assert session.tick(16 * SECOND) == [CloseConnection("tiny", 0, "silent")]
