"""Greetings, names that a venue gives to subscriptions, and acknowledgements that leave topics out without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from feed_fakes import SECOND, AliasVenue, TinyVenue, ack, book, data, liquidations
from hypothesis import given
from hypothesis import strategies as st

from monitor.events import Send
from monitor.feed.aliases import Aliases
from monitor.feed.faults import FaultKind
from monitor.feed.routes import EXTRA_TOPICS
from monitor.feed.session import ConnectionSession
from monitor.feed.subscriber import DROPPED
from monitor.feed.subscription import Phase
from monitor.venues.base import ConnectionPlan, Ping, Topic

QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)
A, B, C = book("A"), book("B"), book("C")


class GreetingVenue(TinyVenue):
    def greeting(self, plan: ConnectionPlan) -> list[str]:
        return [f"hello {plan.name}", "flags", "heartbeat"]


def session_of(*topics: Topic, venue: type[TinyVenue] = TinyVenue, **limits: object) -> ConnectionSession:
    return ConnectionSession(venue(**{"ping": QUIET, **limits}), 0, ConnectionPlan("p", "ws://x/", topics), 0, 7)


def texts(actions: Sequence[object]) -> list[str]:
    return [action.text for action in actions if isinstance(action, Send)]


def asked(actions: Sequence[object]) -> list[tuple[str, list[str]]]:
    return [(said["op"], said["topics"]) for said in map(orjson.loads, texts(actions))]


# -- greeting
def test_the_greeting_goes_first_and_within_the_pace() -> None:
    session = session_of(A, venue=GreetingVenue, frames_per_second=2.0)
    assert session.start(0) == ["hello p", "flags"]
    assert session.tick(SECOND) == []
    session.route(b"ping", SECOND)  # an answer waits for its turn too, behind the greeting
    assert texts(session.tick(2 * SECOND)) == ["heartbeat", "pong"]
    assert asked(session.tick(4 * SECOND)) == [("sub", [A.key])]


def test_without_a_greeting_subscriptions_go_at_once() -> None:
    assert asked([Send("tiny", 0, text) for text in session_of(A).start(0)]) == [("sub", [A.key])]


# -- aliases
def named(*topics: Topic, **limits: object) -> ConnectionSession:
    """A session whose topics are subscribed as "1", "2", ..."""
    session = session_of(*topics, venue=AliasVenue, topics_per_frame=1, frames_per_second=100.0, **limits)
    session.start(0)
    for number, topic in enumerate(topics, 1):
        assert session.route(ack(None, topic.key, alias=str(number)), 1) is None
    return session


def test_frames_are_known_by_what_the_venue_called_their_topic() -> None:
    session = named(A, B)
    assert session.phase(A.key) is session.phase(B.key) is Phase.ACKED
    assert session.route(data("2"), 2) is B
    assert session.route(data("1"), 2) is A
    assert session.route(data("3"), 2) is None
    assert session.unknown_keys == 1
    assert session.carrying
    assert session.faults() == ()


def test_an_ack_by_number_names_the_one_topic_of_its_request() -> None:
    session = session_of(A, B, venue=AliasVenue, topics_per_frame=1, frames_per_second=100.0)
    session.start(0)
    session.route(ack(2, alias="77"), 1)
    assert session.route(data("77"), 2) is B
    assert session.phase(A.key) is Phase.ASKED


def test_leaving_names_the_topic_by_its_alias_and_the_new_one_replaces_it() -> None:
    session = named(A, B)
    session.route(data("1"), 2)
    session.resubscribe(A, 5 * SECOND)
    assert asked(session.drain(5 * SECOND)) == [("unsub", ["1"])]
    assert session.phase(A.key) is Phase.LEAVING
    assert session.route(ack(None, alias="1", un=True), 6 * SECOND) is None
    assert asked(session.drain(6 * SECOND)) == [("sub", [A.key])]
    assert session.route(data("1"), 6 * SECOND) is None  # a straggler of the old subscription belongs to nobody
    session.route(ack(None, A.key, alias="9"), 7 * SECOND)
    assert session.route(data("9"), 7 * SECOND) is A
    assert session.phase(A.key) is Phase.LIVE
    assert session.route(data("2"), 7 * SECOND) is B
    # The unsubscribe again, late: its alias is forgotten, and what was asked since is not touched by it.
    assert session.route(ack(None, alias="1", un=True), 8 * SECOND) is None
    assert session.duplicate_acks == 1
    assert session.route(data("9"), 8 * SECOND) is A


def test_an_unsubscribe_that_was_given_up_leaves_the_old_name_until_there_is_a_new_one() -> None:
    session = named(A)
    session.resubscribe(A, 5 * SECOND)
    session.drain(5 * SECOND)
    assert asked(session.tick(11 * SECOND)) == [("sub", [A.key])]  # no answer within the ack timeout
    assert session.route(ack(None, alias="1", un=True), 12 * SECOND) is None
    assert session.phase(A.key) is Phase.ASKED  # that was not the answer to the subscribe
    session.route(ack(None, A.key, alias="2"), 13 * SECOND)
    assert session.route(data("2"), 13 * SECOND) is A


def test_a_name_given_again_moves_to_the_new_topic() -> None:
    session = named(A, B)
    session.route(ack(None, B.key, alias="1"), 2)
    assert session.route(data("1"), 3) is B
    assert session.route(data("2"), 3) is None


def test_a_name_that_is_another_topics_key_hides_nothing() -> None:
    session = session_of(A, B, venue=AliasVenue)
    session.start(0)
    session.route(ack(None, A.key, alias=B.key), 1)
    assert session.route(data(B.key), 2) is B


def test_topics_outside_the_plan_get_names_too_and_a_flood_of_them_is_bounded() -> None:
    session = named(A)
    session.route(ack(None, "book.Z", alias="50"), 2)
    topic = session.route(data("50"), 3)
    assert topic is not None
    assert topic.key == "book.Z"
    for number in range(100, 100 + 2 * EXTRA_TOPICS):
        session.route(ack(None, f"book.X{number}", alias=str(number)), 4)
    assert session.route(data("100"), 5) is not None
    assert session.route(data(str(99 + 2 * EXTRA_TOPICS)), 5) is None


def test_a_plan_that_stands_with_names_routes_at_once() -> None:
    """What a recording file holds that begins in the middle of a connection."""
    session = session_of(replace(A, alias="5"), B, venue=AliasVenue)
    assert session.route(data("5"), 1) == A
    assert session.phase(A.key) is Phase.LIVE
    session.resubscribe(A, 5 * SECOND)
    session.start(0)
    assert ("unsub", ["5"]) in asked(session.drain(9 * SECOND))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 4)), max_size=40))
def test_names_stay_one_to_one(steps: list[tuple[bool, int, int]]) -> None:
    aliases = Aliases()
    plain: dict[str, str] = {}  # alias -> key
    for naming, key, alias in steps:
        if naming:
            plain = {a: k for a, k in plain.items() if k != f"k{key}"} | {f"a{alias}": f"k{key}"}
            aliases.name(f"k{key}", f"a{alias}")
        else:
            assert aliases.forget(f"a{alias}") == plain.pop(f"a{alias}", None)
        assert {f"a{n}": aliases.key(f"a{n}") for n in range(5) if aliases.key(f"a{n}")} == plain
        assert dict(aliases.alias_of) == {k: a for a, k in plain.items()}


# -- acks that list what was taken
def test_what_a_numbered_list_leaves_out_is_refused_and_the_rest_runs() -> None:
    session = session_of(A, B, C)
    session.start(0)
    session.route(ack(1, A.key, C.key, only=True), SECOND)
    assert session.phase(A.key) is session.phase(C.key) is Phase.ACKED
    (fault,) = session.faults()
    assert (fault.kind, fault.key, fault.detail, fault.since) == (FaultKind.REFUSED, B.key, DROPPED, SECOND)
    assert asked(session.tick(4 * SECOND)) == []  # not asked again now ...
    session.route(data(A), 300 * SECOND)
    session.route(data(C), 300 * SECOND)
    assert asked(session.tick(302 * SECOND)) == [("sub", [B.key])]  # ... but after a long while, alone
    session.route(ack(2, B.key, only=True), 303 * SECOND)
    assert session.faults() == ()


def test_an_empty_list_refuses_all_that_was_asked() -> None:
    session = session_of(A, B)
    session.start(0)
    session.route(ack(1, only=True), SECOND)
    assert session.phase(A.key) is session.phase(B.key) is Phase.REFUSED
    assert session.duplicate_acks == 0
    session.route(ack(1, only=True), SECOND)
    assert session.duplicate_acks == 1


def test_a_list_that_answers_an_unsubscribe_drops_nothing() -> None:
    session = session_of(A)
    session.start(0)
    session.route(ack(1, A.key, only=True), 1)
    session.resubscribe(A, 5 * SECOND)
    session.drain(5 * SECOND)
    session.route(ack(2, only=True), 6 * SECOND)  # the venue had it not subscribed any more
    assert asked(session.drain(6 * SECOND)) == [("sub", [A.key])]
    assert session.faults() == ()


def test_a_list_of_everything_without_a_number() -> None:
    """Each answer lists all the connection has: it answers the oldest request of which something is listed."""
    session = session_of(A, B, C, liquidations("D"), topics_per_frame=2, frames_per_second=100.0)
    session.start(0)  # {A, B} and {C, D}
    session.route(ack(None, A.key, only=True), 1)
    assert session.phase(A.key) is Phase.ACKED
    assert session.phase(B.key) is Phase.REFUSED
    assert session.phase(C.key) is session.phase("liq.D") is Phase.ASKED  # its answer is still to come
    session.route(ack(None, A.key, C.key, "liq.D", only=True), 2)
    assert session.phase(C.key) is session.phase("liq.D") is Phase.ACKED
    session.resubscribe(C, 5 * SECOND)
    session.drain(5 * SECOND)
    session.route(ack(None, A.key, C.key, "liq.D", only=True), 6 * SECOND)
    assert session.phase(C.key) is Phase.LEAVING  # still listed, so not left yet
    session.route(ack(None, A.key, "liq.D", only=True), 6 * SECOND)
    assert asked(session.drain(6 * SECOND)) == [("sub", [C.key])]


def test_a_list_in_which_nothing_asked_stands_answers_nothing() -> None:
    session = session_of(A)
    session.start(0)
    session.route(ack(None, B.key, only=True), 1)
    assert session.phase(A.key) is Phase.ASKED
    assert session.duplicate_acks == 1


@pytest.mark.parametrize("venue", [TinyVenue, AliasVenue])
def test_acks_as_they_always_were(venue: type[TinyVenue]) -> None:
    session = session_of(A, B, venue=venue)
    session.start(0)
    session.route(ack(1), 1)
    assert session.phase(A.key) is session.phase(B.key) is Phase.ACKED
