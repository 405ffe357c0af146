"""One connection's subscription life, driven by hand: no clock, no socket."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from feed_fakes import SECOND, TinyVenue, ack, book, data, liquidations, refusal

from monitor.events import CloseConnection, OpenSuccessor, Send
from monitor.facts import Channel
from monitor.feed.faults import FaultKind
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import RESUBSCRIBES_PER_HOUR, Phase
from monitor.venues.base import ConnectionPlan, Ping, Topic

QUIET = Ping(text=None, interval_seconds=180.0, pong_timeout_seconds=600.0)


def session_of(*topics: Topic, connection: int = 0, seed: int = 7, **limits: object) -> ConnectionSession:
    limits.setdefault("ping", QUIET)
    return ConnectionSession(TinyVenue(**limits), connection, ConnectionPlan("p", "ws://x/", topics), 0, seed)


def asked(texts: list[str]) -> list[tuple[str, list[str]]]:
    parsed = [orjson.loads(text) for text in texts if text.startswith("{")]
    return [(message["op"], message["topics"]) for message in parsed]


def sends(actions: list) -> list[str]:
    return [action.text for action in actions if isinstance(action, Send)]


def kinds(session: ConnectionSession) -> list[tuple[str, str]]:
    return [(fault.kind.value, fault.key) for fault in session.faults()]


def test_subscriptions_go_out_in_batches_at_the_venues_pace() -> None:
    topics = [book(f"S{n:02}", None) for n in range(40)]
    session = session_of(*topics)
    first = session.start(0)
    assert [len(keys) for _, keys in asked(first)] == [5, 5, 5]  # 4 frames a second, one kept for pings
    assert session.tick(SECOND) == []  # inside the stretched second
    texts = first
    for second in range(2, 10):
        for text in texts:
            session.route(ack(orjson.loads(text)["id"]), second * SECOND)
        texts = texts + sends(session.tick(second * SECOND))
    assert [key for _, keys in asked(texts) for key in keys] == [topic.key for topic in topics]
    assert [orjson.loads(text)["id"] for text in texts] == list(range(1, 9))


def test_data_counts_as_the_ack_and_late_or_duplicated_acks_are_harmless() -> None:
    one, two = book("A"), book("B")
    session = session_of(one, two)
    session.start(0)
    assert session.route(data(one), SECOND) is one
    assert session.phase(one.key) is Phase.LIVE
    assert not session.carrying
    for _ in range(3):
        assert session.route(ack(1), SECOND) is None
    assert session.phase(two.key) is Phase.ACKED
    assert session.duplicate_acks == 2
    session.route(data(two), SECOND)
    assert session.carrying
    assert session.drain(SECOND) == []
    assert session.faults() == ()
    assert session.counts[Channel.BOOK].messages == 2
    assert session.counts[Channel.BOOK].bytes == 2 * len(data(one))
    assert session.counts[Channel.OTHER].messages == 3


def test_missing_ack_is_asked_again_then_named_then_asked_rarely() -> None:
    quiet = liquidations("A")
    session = session_of(quiet)
    sent = len(session.start(0))
    times = []
    for second in range(1, 1000):
        if sends(session.tick(second * SECOND)):
            times.append(second)
    assert times[:2] == [5, 10]  # the ack timeout
    assert [fault.kind for fault in session.faults()] == [FaultKind.NEVER_ACKED]
    assert session.faults()[0].since == 15 * SECOND
    assert all(later - earlier >= 300 for earlier, later in pairwise(times[1:]))
    assert sent + len(times) <= 3 + 4
    version = session.version
    session.route(data(quiet), 1000 * SECOND)
    assert session.faults() == ()
    assert session.version != version
    assert session.phase(quiet.key) is Phase.LIVE


def test_a_refusal_is_named_and_the_innocent_rest_of_the_batch_is_asked_again() -> None:
    good, bad, other = book("A"), book("BAD"), book("C")
    session = session_of(good, bad, other)
    session.start(0)
    session.route(refusal(1, "no such topic", bad.key, whole=True), SECOND)
    assert asked(sends(session.drain(SECOND))) == [("sub", [good.key, other.key])]
    (fault,) = session.faults()
    assert (fault.kind, fault.key, fault.detail) == (FaultKind.REFUSED, bad.key, "no such topic")
    assert not session.is_silent(bad.key)
    session.route(ack(2), SECOND)
    assert session.phase(good.key) is session.phase(other.key) is Phase.ACKED
    session.tick(20 * SECOND)
    assert (FaultKind.REFUSED.value, bad.key) in kinds(session)
    assert not session.is_silent(bad.key)


def test_a_batch_refused_without_a_name_is_halved_until_the_culprit_is_known() -> None:
    topics = [liquidations(name) for name in ("A", "B", "BAD", "C", "D")]
    session = session_of(*topics, frames_per_second=100.0)
    queue = session.start(0)
    frames = 0
    for second in range(1, 20):
        while queue:
            frames += 1
            message = orjson.loads(queue.pop(0))
            bad = "liq.BAD" in message["topics"]
            session.route(refusal(message["id"], "illegal") if bad else ack(message["id"]), second * SECOND)
        queue = sends(session.tick(second * SECOND))
    assert kinds(session) == [("refused", "liq.BAD")]
    assert frames <= 6
    assert session.carrying


def test_a_refusal_that_blames_nobody_is_asked_again_even_for_a_single_topic() -> None:
    """ "Already subscribed" takes a whole frame down and names a topic that lives: the one left over is innocent."""
    alive, rest = liquidations("A"), liquidations("B")
    session = session_of(alive, rest, frames_per_second=100.0)
    session.start(0)
    session.route(ack(1, alive.key), 1)
    session.route(refusal(1, "already subscribed", whole=True), 2)
    assert not session.faults()
    assert asked(sends(session.tick(5 * SECOND))) == [("sub", [rest.key])]
    for second in range(6, 40):  # a venue that always says so ends in a named fault, not in a storm
        for text in sends(session.tick(second * SECOND)):
            session.route(refusal(orjson.loads(text)["id"], "already subscribed", whole=True), second * SECOND)
    assert kinds(session) == [("never_acked", rest.key)]


def test_a_keyed_refusal_after_the_ack_still_counts() -> None:
    topic = liquidations("A")
    session = session_of(topic)
    session.start(0)
    session.route(ack(1), 1)
    session.route(refusal(None, "VIP only", topic.key), 2)
    assert kinds(session) == [("refused", topic.key)]


def test_subscribed_acknowledged_then_silent_is_found_and_asked_for_again() -> None:
    loud, mute = book("LOUD"), book("MUTE")
    session = session_of(loud, mute)
    session.start(0)
    session.route(ack(1), 0)
    resubscribed = []
    for second in range(1, 100):
        session.route(data(loud), second * SECOND)
        for operation in asked(sends(session.tick(second * SECOND))):
            resubscribed.append((second, *operation))
            number = session._subscriber._next_id - 1
            session.route(ack(number), second * SECOND)
            resubscribed.extend((second, *o) for o in asked(sends(session.drain(second * SECOND))))
            session.route(ack(number + 1), second * SECOND)
        if second >= 11:
            assert session.is_silent(mute.key)
            assert session.faults()[0].since == 0
    assert not session.is_silent(loud.key)
    assert [entry[:2] for entry in resubscribed] == [
        (11, "unsub"), (11, "sub"), (31, "unsub"), (31, "sub"), (71, "unsub"), (71, "sub"),
    ]  # fmt: skip
    session.route(data(mute), 100 * SECOND)
    assert session.faults() == ()


def test_first_frame_silence_runs_from_the_ask_and_a_topic_without_bound_may_stay_quiet() -> None:
    session = session_of(liquidations("A"))
    session.start(0)
    session.route(ack(1), 0)
    assert session.tick(86_400 * SECOND) == []
    assert session.faults() == ()
    assert session.carrying


def test_a_socket_on_which_nothing_comes_is_left_at_once() -> None:
    session = session_of(book("A"), book("B", 30.0))
    session.start(0)
    session.route(data("book.A"), 5 * SECOND)
    session.route(data("book.B"), 5 * SECOND)
    assert session.tick(15 * SECOND) == []
    early = session.tick(16 * SECOND)
    assert session.is_silent("book.A")
    assert all(isinstance(action, Send) for action in early)  # B may still speak
    session.route(ack(2), 17 * SECOND)
    actions = session.tick(40 * SECOND)
    assert actions == [CloseConnection("tiny", 0, "silent")]
    assert session.closing
    assert session.tick(41 * SECOND) == []
    assert session.tick(51 * SECOND) != []  # not carried out: asked for again


def test_all_topics_silent_though_the_venue_answers_ends_in_a_new_connection() -> None:
    session = session_of(book("A"), book("B"))
    session.start(0)
    closed = None
    for second in range(1, 60):
        session.route(b"ping", second * SECOND)  # the venue is there
        for action in session.tick(second * SECOND):
            if isinstance(action, Send) and action.text.startswith("{"):
                session.route(ack(orjson.loads(action.text)["id"]), second * SECOND)
            elif isinstance(action, CloseConnection):
                closed = closed or (second, action.reason)
    assert closed is not None
    assert closed[1] == "silent"
    assert 20 < closed[0] <= 33


def test_resubscribe_waits_for_the_ack_and_ignores_the_old_subscription() -> None:
    topic = book("A", None)
    session = session_of(topic)
    session.start(0)
    session.route(data(topic), 1)
    session.resubscribe(topic, 2)
    session.resubscribe(topic, 2)
    assert asked(sends(session.drain(2))) == [("unsub", [topic.key])]
    assert session.route(data(topic), 3) is topic
    assert session.phase(topic.key) is Phase.LEAVING
    session.resubscribe(topic, 3)
    assert session.drain(3) == []
    session.route(ack(2), 4)
    session.route(data(topic), 4)  # still on its way
    assert session.phase(topic.key) is Phase.QUEUED
    assert asked(sends(session.drain(4))) == [("sub", [topic.key])]
    session.route(data(topic), 5)
    assert session.phase(topic.key) is Phase.LIVE


def test_an_unsubscribe_without_ack_does_not_hold_the_topic_back_for_ever() -> None:
    topic = book("A", None)
    session = session_of(topic)
    session.start(0)
    session.route(data(topic), 1)
    session.resubscribe(topic, 2)
    session.drain(2)
    assert asked(sends(session.tick(6 * SECOND))) == [("sub", [topic.key])]


def test_a_batch_of_resubscribes_costs_two_frames() -> None:
    topics = [book(name, None) for name in "ABCDE"]
    session = session_of(*topics, operations_per_hour=480)
    session.start(0)
    for topic in topics:
        session.route(data(topic), 1)
        session.resubscribe(topic, 2)
    assert [op for op, _ in asked(sends(session.drain(2)))] == ["unsub"]
    for topic in topics:
        session.route(ack(2, topic.key), 3)
        if topic is not topics[-1]:
            assert session.drain(3) == []
    ((op, keys),) = asked(sends(session.drain(3)))
    assert op == "sub"
    assert keys == [topic.key for topic in topics]


def test_a_book_that_always_gaps_is_resubscribed_ever_more_rarely_and_never_beyond_the_hourly_bound() -> None:
    topic = book("A", None)
    session = session_of(topic)
    session.start(0)
    session.route(data(topic), 0)
    unsubscribes = []
    for tenth in range(10, 10 * 7200):
        at = tenth * SECOND // 10
        session.resubscribe(topic, at)
        for text in sends(session.tick(at)):
            message = orjson.loads(text)
            session.route(ack(message["id"]), at)
            if message["op"] == "unsub":
                unsubscribes.append(at)
            else:
                session.route(data(topic), at)
    gaps = [later - earlier for earlier, later in pairwise(unsubscribes)]
    assert gaps[:3] == [2 * SECOND, 4 * SECOND, 8 * SECOND]
    for start in unsubscribes:
        assert sum(start <= at < start + 3600 * SECOND for at in unsubscribes) <= RESUBSCRIBES_PER_HOUR
    assert len(unsubscribes) > RESUBSCRIBES_PER_HOUR  # delayed, not given up


def test_beyond_the_venues_operations_a_new_connection_is_asked_for() -> None:
    topics = [book(name, None) for name in "ABC"]
    session = session_of(*topics, topics_per_frame=1, operations_per_hour=5)
    session.start(0)
    for topic in topics:
        session.route(data(topic), 1)
    session.tick(2 * SECOND)
    session.resubscribe(topics[0], 3 * SECOND)
    assert [op for op, _ in asked(sends(session.drain(3 * SECOND)))] == ["unsub"]
    session.resubscribe(topics[1], 4 * SECOND)  # its subscribe would be the sixth
    assert session.drain(4 * SECOND) == [OpenSuccessor("tiny", 0, "operations_spent")]
    session.route(ack(4), 5 * SECOND)
    assert asked(sends(session.drain(5 * SECOND))) == [("sub", [topics[0].key])]  # what was begun is finished
    assert session.drain(6 * SECOND) == []  # asked once a minute at most


def test_text_pings_and_their_answers() -> None:
    session = session_of(liquidations("A"), ping=Ping("ping", 20.0, 10.0))
    session.start(0)
    session.route(ack(1), 0)
    assert sends(session.tick(19 * SECOND)) == []
    assert sends(session.tick(20 * SECOND)) == ["ping"]
    session.route(b"pong", 21 * SECOND)
    assert sends(session.tick(40 * SECOND)) == ["ping"]
    assert session.tick(50 * SECOND) == []
    assert session.tick(51 * SECOND) == [CloseConnection("tiny", 0, "ping_lost")]
    assert kinds(session) == [("ping_lost", "")]


def test_missing_pongs_under_flowing_data_are_named_and_cost_the_connection_only_when_they_repeat() -> None:
    topic = book("A")
    session = session_of(topic, ping=Ping("ping", 20.0, 10.0))
    session.start(0)
    closed = []
    for second in range(1, 120):
        session.route(data(topic), second * SECOND)
        closed += [(second, a.reason) for a in session.tick(second * SECOND) if isinstance(a, CloseConnection)]
        if second == 31:
            assert kinds(session) == [("ping_lost", "")]
            session.route(b"pong", second * SECOND)
            assert session.faults() == ()
    assert closed[0] == (91, "ping_lost")  # the pings of 40, 60 and 80


def test_application_pings_are_answered_in_the_same_step() -> None:
    session = session_of(liquidations("A"))
    session.start(0)
    assert session.route(b"ping", 5) is None
    assert session.drain(5) == [Send("tiny", 0, "pong")]


def test_the_planned_move_is_staggered_and_deterministic() -> None:
    day = 86_400

    def moment(connection: int, seed: int) -> int:
        session = session_of(liquidations("A"), connection=connection, seed=seed, lifetime_seconds=float(day))
        session.start(0)
        session.route(data("liq.A"), 1)
        for minute in range(day // 60):
            if any(isinstance(action, OpenSuccessor) for action in session.tick(minute * 60 * SECOND)):
                return minute
        raise AssertionError("never moved")

    moments = [moment(connection, 7) for connection in range(8)]
    assert moments == [moment(connection, 7) for connection in range(8)]
    assert all(0.89 * day <= 60 * minute <= 0.99 * day for minute in moments)
    assert min(abs(a - b) for a, b in pairwise(sorted(moments))) >= 5
    assert moments != [moment(connection, 8) for connection in range(8)]


def test_an_announced_shutdown_asks_for_a_successor_once() -> None:
    session = session_of(liquidations("A"))
    session.start(0)
    session.route(b'{"bye":"upgrade"}', 5)
    session.route(b'{"bye":"upgrade"}', 6)
    assert session.drain(6) == [OpenSuccessor("tiny", 0, "shutdown_announced")]


@pytest.mark.parametrize("frame", [b"<html>", b"", b"{", b'{"what":1}', b'{"t":"\xff"}', b"[1,2]", b"null"])
def test_garbage_is_counted_and_never_ends_the_connection(frame: bytes) -> None:
    session = session_of(book("A"))
    session.start(0)
    assert session.route(frame, 1) is None
    assert session.other.parse_errors + session.unknown_keys == 1
    assert not session.closing


def test_keys_outside_the_plan_are_routed_when_the_venue_knows_them() -> None:
    session = session_of(book("A"))
    session.start(0)
    for _ in range(2):
        topic = session.route(data("liq.Z"), 1)
        assert topic is not None
        assert topic.key == "liq.Z"
    assert session.counts[Channel.LIQUIDATIONS].messages == 2
    assert session.route(b' {"t":"book.A"}', 2) is not None  # found by the slow path
    assert session.phase("book.A") is Phase.LIVE
    assert session.route(data("nobody.Z"), 2) is None
    assert session.unknown_keys == 1
    assert session.faults() == ()
