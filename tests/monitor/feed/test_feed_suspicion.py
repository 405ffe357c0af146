"""A venue that closes the connection on a topic it does not know: the topic is found, and the others run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest
from feed_fakes import SECOND, TinyVenue, ack, book, refusal
from feed_servers import TinyServer, running
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from monitor.events import Send
from monitor.feed.faults import FaultKind
from monitor.feed.reasons import Reason
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.feed.suspicion import FATAL, FATAL_ASK_AGAIN, FATAL_ASK_CAP, Guilty, Suspicion
from monitor.venues.base import ConnectionPlan, Ping, Topic

QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)
TENTH = SECOND // 10
LOST = Reason.CONNECTION_LOST


def fatal_venue(**limits: object) -> TinyVenue:
    return TinyVenue(**{"ping": QUIET, "fatal_subscribe_seconds": 1.0, "frames_per_second": 20.0, **limits})


def topics_of(names: str) -> tuple[Topic, ...]:
    return tuple(book(name, None) for name in names)


def session_of(names: str, suspicion: Suspicion | None = None, at: int = 0, **limits: object) -> ConnectionSession:
    plan = ConnectionPlan("p", "ws://x/", topics_of(names))
    return ConnectionSession(fatal_venue(**limits), 0, plan, at, 7, suspicion)


def asked(actions: Sequence[object]) -> list[str]:
    """Names in the subscribe frames, one text a frame."""
    said = [orjson.loads(action.text) for action in actions if isinstance(action, Send)]
    return ["".join(key.removeprefix("book.") for key in one["topics"]) for one in said]


def keys(*groups: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"book.{name}" for name in group) for group in groups)


# -- what the end of a connection says
def test_unanswered_topics_of_a_connection_that_dies_are_suspects_in_halves() -> None:
    session = session_of("ABCDEFG")
    assert asked(session.drain(0)) == ["ABCDE", "FG"]
    session.route(ack(1, "book.A", "book.C"), TENTH)
    assert session.suspects(SECOND, LOST) == Suspicion(keys("BDE", "FG"))
    assert session.suspects(SECOND, Reason.CLOSED_BY_VENUE) == Suspicion(keys("BDE", "FG"))


@pytest.mark.parametrize("reason", [r for r in Reason if r not in (LOST, Reason.CLOSED_BY_VENUE)])
def test_other_ends_accuse_nobody(reason: Reason) -> None:
    session = session_of("AB")
    session.drain(0)
    assert session.suspects(TENTH, reason) is None


def test_a_later_end_accuses_nobody() -> None:
    session = session_of("AB")
    session.drain(0)
    assert session.suspects(SECOND + 1, LOST) is None


def test_other_venues_know_no_suspicion() -> None:
    session = session_of("AB", Suspicion(keys("A"), (Guilty("book.B", 1, 10**18),)), fatal_subscribe_seconds=None)
    assert asked(session.drain(0)) == ["AB"]
    assert session.suspects(TENTH, LOST) is None


# -- what the next connection does with it
def test_the_innocent_go_first_then_each_group_alone() -> None:
    session = session_of("ABCDEF", Suspicion(keys("AB", "CD")))
    assert asked(session.drain(0)) == ["EF"]
    assert asked(session.tick(SECOND // 2)) == []  # they are not answered yet
    session.route(ack(1), SECOND // 2)
    assert asked(session.drain(SECOND // 2)) == ["AB"]
    session.route(ack(2, "book.A"), SECOND)
    assert asked(session.drain(SECOND)) == []
    assert asked(session.tick(SECOND + SECOND // 2)) == []
    assert asked(session.tick(SECOND + SECOND // 2 + 1)) == ["CD"]  # B survived its time: it is not the one
    assert session.suspects(SECOND + SECOND // 2 + 2, LOST) == Suspicion(keys("C", "D"))
    session.route(ack(3), 2 * SECOND)
    assert session.suspects(2 * SECOND, LOST) is None


def test_one_topic_a_frame_a_group_is_complete_when_all_of_it_was_asked() -> None:
    session = session_of("ABCDE", Suspicion(keys("ABC", "D")), topics_per_frame=1, frames_per_second=3.0)
    assert asked(session.drain(0)) == ["E"]
    session.route(ack(1), 1)
    assert asked(session.drain(1)) == ["A"]
    assert session.suspects(2, LOST) == Suspicion(keys("A", "D", "BC"))  # B and C: not asked yet
    assert session.suspects(2, Reason.LIFETIME) == Suspicion(keys("ABC", "D"))
    session.route(ack(2), 2)
    assert asked(session.tick(5 * SECOND)) == ["B", "C"]
    session.route(ack(3), 5 * SECOND)
    assert asked(session.tick(6 * SECOND)) == []
    session.route(ack(4), 6 * SECOND)
    assert asked(session.drain(6 * SECOND + SECOND // 2)) == ["D"]


def test_a_topic_that_takes_a_connection_down_alone_is_parked_and_named() -> None:
    at = 50 * SECOND
    session = session_of("AB", Suspicion(keys("B")), at)
    session.drain(at)
    session.route(ack(1), at)
    assert asked(session.drain(at)) == ["B"]
    found = session.suspects(at + TENTH, Reason.CLOSED_BY_VENUE)
    until = at + TENTH + FATAL_ASK_AGAIN
    assert found == Suspicion((), (Guilty("book.B", 1, until),))

    session = session_of("AB", found, at + SECOND)
    assert asked(session.drain(at + SECOND)) == ["A"]
    (fault,) = session.faults()
    assert (fault.kind, fault.key, fault.detail) == (FaultKind.REFUSED, "book.B", FATAL)
    session.route(ack(1), at + SECOND)
    assert session.phase("book.B") is Phase.REFUSED
    assert session.carrying
    assert asked(session.tick(until - 1)) == []
    assert session.suspects(until - 1, LOST) == found
    assert asked(session.tick(until)) == ["B"]  # last and alone
    assert session.faults() == (fault,)
    again = session.suspects(until + TENTH, LOST)
    assert again == Suspicion((), (Guilty("book.B", 2, until + TENTH + 2 * FATAL_ASK_AGAIN),))


def test_the_distance_doubles_up_to_its_cap() -> None:
    found: Suspicion | None = Suspicion((), (Guilty("book.A", 1, 0),))
    distances = []
    at = 0
    for _ in range(12):
        assert found is not None
        session = session_of("A", found, at)
        assert asked(session.tick(at)) == ["A"]
        found = session.suspects(at, LOST)
        assert found is not None
        distances.append(found.guilty[0].not_before - at)
        at = found.guilty[0].not_before
    assert distances[0] == 2 * FATAL_ASK_AGAIN
    assert all(later == min(2 * earlier, FATAL_ASK_CAP) for earlier, later in pairwise(distances))
    assert distances[-1] == FATAL_ASK_CAP


def test_an_answer_clears_the_guilty() -> None:
    session = session_of("A", Suspicion((), (Guilty("book.A", 3, 0),)))
    assert asked(session.tick(0)) == ["A"]
    session.route(ack(1), TENTH)
    assert session.faults() == ()
    assert session.suspects(TENTH, LOST) is None


def test_a_refusal_in_words_is_an_answer() -> None:
    session = session_of("A", Suspicion((), (Guilty("book.A", 3, 0),)))
    session.tick(0)
    session.route(refusal(1, "no such coin", "book.A"), TENTH)
    session.tick(SECOND)
    assert [fault.detail for fault in session.faults()] == ["no such coin"]
    assert session.suspects(SECOND, LOST) is None


def test_survival_without_an_answer_is_no_guilt() -> None:
    session = session_of("A", Suspicion((), (Guilty("book.A", 3, 0),)))
    session.tick(0)
    session.tick(2 * SECOND)
    for second in range(3, 30):
        session.tick(second * SECOND)
    assert [fault.kind for fault in session.faults()] == [FaultKind.NEVER_ACKED]
    assert session.suspects(31 * SECOND, LOST) is None


def test_topics_that_left_the_plan_are_forgotten() -> None:
    session = session_of("AB", Suspicion(keys("XA", "Y"), (Guilty("book.Z", 1, 0),)))
    assert asked(session.drain(0)) == ["B"]
    session.route(ack(1), 1)
    assert asked(session.drain(1)) == ["A"]
    session.route(ack(2), 2)
    assert session.suspects(2, LOST) is None


def test_data_clears_a_suspect_that_still_waits() -> None:
    session = session_of("ABC", Suspicion(keys("A", "B")))
    assert asked(session.drain(0)) == ["C"]
    topic = session.plan.topics[1]
    assert session.route(b'{"t":"book.B","d":"1"}', 1) is topic  # of a recording, say
    session.resubscribe(topic, 2)
    session.drain(2)
    session.route(ack(2), 3)
    session.drain(3)
    assert session.phase(topic.key) is Phase.ASKED
    assert session.suspects(4, LOST) == Suspicion(keys("B", "C", "A"))


def test_a_book_is_not_subscribed_anew_while_a_group_is_on_trial() -> None:
    session = session_of("AB", Suspicion(keys("B")))
    session.drain(0)
    session.route(ack(1), 1)
    assert asked(session.drain(1)) == ["B"]
    session.resubscribe(session.plan.topics[0], 2)
    assert session.drain(2) == []
    session.route(ack(2), 3)
    assert asked(session.drain(3)) == ["A"]  # the unsubscribe


# -- the whole search, over a venue of this kind
class DeadlyVenueWorld:
    """Runs session after session of one plan against a venue that closes on `bad` topics `slow` ns after they were asked."""

    def __init__(self, names: str, bad: str, width: int, slow: int) -> None:
        self.names, self.bad, self.slow = names, {f"book.{name}" for name in bad}, slow
        self.width = width
        self.at = 0
        self.suspicion: Suspicion | None = None
        self.deaths = 0
        self.sent: list[tuple[int, int, list[str]]] = []  # connection, time, topics

    def connection(self, until: int) -> ConnectionSession | None:
        """One connection's life; None when it died before `until`."""
        session = session_of(self.names, self.suspicion, self.at, topics_per_frame=self.width)
        dies: int | None = None
        acks: list[tuple[int, int]] = []
        while self.at < until:
            for action in session.tick(self.at):
                if isinstance(action, Send) and dies is None:
                    said = orjson.loads(action.text)
                    self.sent.append((self.deaths, self.at, said["topics"]))
                    if self.bad & set(said["topics"]):
                        dies = self.at + self.slow
                    else:
                        acks.append((self.at + TENTH // 2, said["id"]))
            self.at += TENTH // 4
            while acks and acks[0][0] <= self.at and dies is None:
                session.route(ack(acks.pop(0)[1]), self.at)
            if dies is not None and self.at >= dies:
                self.suspicion = session.suspects(self.at, LOST)
                self.deaths += 1
                return None
        return session


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.sampled_from("ABCDEFGHIJKLMNOP"), max_size=3), st.integers(1, 5), st.sampled_from([TENTH, SECOND // 2])
)
def test_every_culprit_is_found_and_everybody_else_runs(bad: set[str], width: int, slow: int) -> None:
    names = "ABCDEFGHIJKLMNOP"
    world = DeadlyVenueWorld(names, "".join(sorted(bad)), width, slow)
    session = None
    while session is None:
        session = world.connection(world.at + 20 * SECOND)
        assert world.deaths <= 6 * len(bad)
    assert {fault.key for fault in session.faults()} == world.bad
    assert all(fault.detail == FATAL for fault in session.faults())
    for name in names:
        wanted = Phase.REFUSED if name in bad else Phase.ACKED
        assert session.phase(f"book.{name}") is wanted
    # A topic is asked with others beside it only while it is not suspected; the guilty were asked alone.
    for culprit in world.bad:
        assert [topics for _, _, topics in world.sent if culprit in topics][-1] == [culprit]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0, TENTH, SECOND, 400 * SECOND]), st.sampled_from("taxrdb"), st.integers(0, 5)),
        max_size=60,
    )
)
def test_the_same_events_leave_the_same_suspicion(steps: list[tuple[int, str, int]]) -> None:
    """Also: whatever happens, a group on trial is alone on the wire, and nothing is lost."""

    def run() -> list[Any]:
        seen: list[Any] = []
        suspicion: Suspicion | None = None
        at = 0
        session = session_of("ABCDEF", None, at, topics_per_frame=2)
        for wait, what, which in steps:
            at += wait
            topic = session.plan.topics[which]
            if what == "t":
                seen.append(asked(session.tick(at)))
            elif what == "a":
                session.route(ack(which + 1), at)
            elif what == "x":
                session.route(refusal(which + 1, "no", whole=True), at)
            elif what == "r":
                session.resubscribe(topic, at)
            else:
                suspicion = session.suspects(at, LOST if what == "d" else Reason.LIFETIME)
                seen.append(suspicion)
                if suspicion is not None:
                    known = [key for group in suspicion.groups for key in group]
                    known += [guilty.key for guilty in suspicion.guilty]
                    assert len(known) == len(set(known))
                session = session_of("ABCDEF", suspicion, at, topics_per_frame=2)
            seen.append(asked(session.drain(at)))
        return seen

    assert run() == run()


# -- and over real sockets
class ClosingServer(TinyServer):
    """Cuts the connection without a word when it is asked for an unknown coin."""

    async def _hear(self, socket: ServerConnection, text: str | bytes) -> None:
        if text != "ping" and any(key in self.refuse for key in orjson.loads(text)["topics"]):
            self.operations.append(orjson.loads(text))
            socket.transport.abort()
            return
        await super()._hear(socket, text)


async def test_an_unknown_coin_costs_its_own_market_alone() -> None:
    server = ClosingServer()
    await server.open()
    server.refuse = {"book.CCC"}
    venue = TinyVenue(fatal_subscribe_seconds=5.0, frames_per_second=50.0)
    venue.per_connection = 4
    try:
        async with running(server, venue=venue) as (hub, _):
            await hub.until(lambda: hub.sessions and hub.sessions[0].carrying, 20)
            (fault,) = hub.sessions[0].faults()
            assert (fault.kind, fault.key, fault.detail) == (FaultKind.REFUSED, "book.CCC", FATAL)
            assert [hub.sessions[0].phase(f"book.{name}") for name in ("AAA", "BBB", "DDD")] == [Phase.LIVE] * 3
            assert hub.disconnects() == ["connection_lost"] * 3  # of four; of its half; alone
            said = [message["topics"] for message in server.operations if "book.CCC" in message["topics"]]
            assert [len(topics) for topics in said] == [4, 2, 1]
    finally:
        await server.close()
