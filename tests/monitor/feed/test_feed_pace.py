"""Answers without a name, and the rest between subscribe frames that some venues want."""

from __future__ import annotations

from itertools import pairwise

import orjson
from feed_fakes import SECOND, TinyVenue, ack, book, data, liquidations

from monitor.events import Send
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import Phase
from monitor.venues.base import Acked, ConnectionPlan, Control, Ping, Refused, Topic

QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)
MS = SECOND // 1000


class Nameless(TinyVenue):
    """Its answers say what kind of request they are to, and nothing else."""

    def control(self, frame: bytes) -> list[Control]:
        said = orjson.loads(frame)
        if "no" in said:
            return [Refused("no", in_order=True, unsubscribed=said["op"] == "unsub")]
        return [Acked(unsubscribed=said["op"] == "unsub", in_order=True)]


YES, LEFT, NO, NOT_LEFT = b'{"op":"sub"}', b'{"op":"unsub"}', b'{"op":"sub","no":1}', b'{"op":"unsub","no":1}'


def session_of(venue: TinyVenue, *topics: Topic) -> ConnectionSession:
    return ConnectionSession(venue, 0, ConnectionPlan("p", "ws://x/", topics), 0, 7)


def sends(actions: list) -> list[str]:
    return [action.text for action in actions if isinstance(action, Send)]


def test_a_nameless_answer_is_to_the_oldest_request_even_if_data_spoke_for_all_of_it() -> None:
    a, b, c = book("A"), book("B"), book("C")
    session = session_of(Nameless(topics_per_frame=1, ping=QUIET), a, b, c)
    assert len(session.start(0)) == 3
    assert session.route(data(a), 1) is a
    session.route(YES, 2)
    assert [session.phase(topic.key) for topic in (a, b, c)] == [Phase.LIVE, Phase.ASKED, Phase.ASKED]
    session.route(NO, 3)
    session.route(YES, 4)
    assert [session.phase(topic.key) for topic in (a, b, c)] == [Phase.LIVE, Phase.REFUSED, Phase.ACKED]
    session.route(YES, 5)
    assert session.duplicate_acks == 2, "the one that data had said before, and one too many"


def test_a_nameless_answer_knows_subscribing_from_leaving() -> None:
    a, b = liquidations("A"), liquidations("B")
    session = session_of(Nameless(topics_per_frame=1, ping=QUIET, ack_timeout_seconds=60.0), a, b)
    session.start(0)
    session.route(YES, 1)
    session.resubscribe(a, 2)
    assert len(sends(session.drain(2))) == 1
    at = 3 * SECOND
    for answer in (LEFT, NOT_LEFT):  # not subscribed is as good as unsubscribed
        assert session.phase(a.key) is Phase.LEAVING
        before = session.phase(b.key)
        session.route(answer, at)
        assert session.phase(b.key) is before
        assert len(sends(session.drain(at))) == 1
        session.route(YES, at)
        session.route(YES, at)
        assert session.phase(a.key) is session.phase(b.key) is Phase.ACKED
        at += 10 * SECOND
        session.resubscribe(a, at)
        session.drain(at)


def test_a_request_nobody_answered_does_not_catch_a_later_answer() -> None:
    a, b = book("A", None), liquidations("B")
    session = session_of(Nameless(topics_per_frame=1, frames_per_second=1.0, ping=QUIET, ack_timeout_seconds=2.0), a, b)
    session.start(0)
    session.route(data(a), 1)
    texts: list[str] = []
    second = 2
    while not texts:
        second += 1
        texts = sends(session.tick(second * SECOND))
    session.route(YES, second * SECOND)
    assert session.phase(b.key) is Phase.ACKED


def test_subscribe_frames_keep_the_venues_distance_and_pings_do_not_wait() -> None:
    ping = Ping(text="ping", interval_seconds=1.0, pong_timeout_seconds=60.0)
    venue = TinyVenue(topics_per_frame=1, frames_per_second=20.0, frame_spacing_seconds=0.25, ping=ping)
    session = session_of(venue, *(liquidations(f"S{number}") for number in range(8)))
    assert len(session.start(0)) == 1, "no burst at the opening"
    subscribed, pinged = [0], []
    for at in range(50 * MS, 4 * SECOND, 50 * MS):
        for text in sends(session.tick(at)):
            (pinged if text == "ping" else subscribed).append(at)
            session.route(b"pong" if text == "ping" else ack(orjson.loads(text)["id"]), at)
    assert len(subscribed) == 8
    assert {later - earlier for earlier, later in pairwise(subscribed)} == {250 * MS}
    assert pinged[:2] == [SECOND, 2 * SECOND]
