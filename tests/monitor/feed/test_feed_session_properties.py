"""Whatever the venue answers and whenever: the limits hold, nothing storms, silence is found."""

from __future__ import annotations

from typing import Any

import orjson
from feed_fakes import SECOND, TinyVenue, ack, book, data, liquidations, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events import CloseConnection, OpenSuccessor, Send
from monitor.feed.session import ConnectionSession
from monitor.feed.subscription import RESUBSCRIBES_PER_HOUR, Phase
from monitor.feed.suspicion import Guilty, Suspicion
from monitor.venues.base import ConnectionPlan, Ping

TOPICS = (
    book("A", 8.0),
    book("B", 30.0),
    book("C", None),
    liquidations("A"),
    book("D", 8.0),
    book("E", 15.0),
    book("F", None, first=6.0),
    book("G", 25.0, first=4.0),
)
KEYS = [topic.key for topic in TOPICS]

steps = st.tuples(
    st.sampled_from([0, 1, SECOND // 10, SECOND // 2, SECOND, 3 * SECOND, 40 * SECOND, 900 * SECOND]),
    st.one_of(
        st.just(("tick",)),
        st.tuples(st.just("ack"), st.integers(1, 30)),
        st.tuples(st.just("ack last")),
        st.tuples(st.just("ack key"), st.sampled_from(KEYS)),
        st.tuples(st.just("ack only"), st.one_of(st.none(), st.integers(1, 30)), st.sets(st.sampled_from(KEYS))),
        st.tuples(st.just("ack alias"), st.sampled_from(KEYS), st.integers(1, 9)),
        st.tuples(st.just("left alias"), st.integers(1, 9)),
        st.tuples(st.just("aliased data"), st.integers(1, 9)),
        st.tuples(st.just("refuse"), st.integers(1, 30), st.booleans()),
        st.tuples(st.just("refuse key"), st.sampled_from(KEYS), st.booleans()),
        st.tuples(st.just("data"), st.sampled_from(KEYS)),
        st.tuples(st.just("resubscribe"), st.sampled_from(TOPICS)),
        st.tuples(st.just("frame"), st.sampled_from([b"ping", b"pong", b"<", b'{"bye":"x"}', b'{"error":"x"}'])),
    ),
)


class Wire:
    """Everything a session sent, with times; checks the venue's limits at the end."""

    def __init__(self, session: ConnectionSession) -> None:
        self.session = session
        self.sent: list[tuple[int, str]] = []
        self.successors: list[int] = []
        self.closes: list[int] = []
        self.came_unasked: set[str] = set()

    def take(self, at: int, actions: list[Any]) -> None:
        for action in actions:
            match action:
                case Send(text=text):
                    self.sent.append((at, text))
                case OpenSuccessor():
                    self.successors.append(at)
                case CloseConnection():
                    self.closes.append(at)

    def step(self, at: int, what: tuple[Any, ...]) -> None:
        session = self.session
        frame = None
        match what:
            case ("tick",):
                self.take(at, session.tick(at))
            case ("ack", number):
                frame = ack(number)
            case ("ack last",):
                frame = ack(self.operations()[-1][1]["id"]) if self.operations() else None
            case ("ack key", key):
                frame = ack(None, key)
            case ("ack only", number, keys):
                frame = ack(number, *sorted(keys), only=True)
            case ("ack alias", key, alias):
                frame = ack(None, key, alias=str(alias))
            case ("left alias", alias):
                frame = ack(None, alias=str(alias), un=True)
            case ("aliased data", alias):
                topic = session.route(data(str(alias)), at)
                if topic is not None and not any(topic.key in message["topics"] for _, message in self.operations()):
                    self.came_unasked.add(topic.key)
            case ("refuse", number, whole):
                frame = refusal(number, "no", whole=whole)
            case ("refuse key", key, whole):
                frame = refusal(None, "no", key, whole=whole)
            case ("data", key):
                if not any(key in message["topics"] for _, message in self.operations()):
                    self.came_unasked.add(key)
                assert session.route(data(key), at) is not None
            case ("resubscribe", topic):
                session.resubscribe(topic, at)
            case ("frame", raw):
                frame = raw
        if frame is not None:
            assert session.route(frame, at) is None
        self.take(at, session.drain(at))

    def operations(self) -> list[tuple[int, dict[str, Any]]]:
        return [(at, orjson.loads(text)) for at, text in self.sent if text.startswith("{")]

    def check(self, frames_per_second: int, topics_per_frame: int, operations_per_hour: int | None) -> None:
        times = [at for at, _ in self.sent]
        assert most_within(times, SECOND) <= frames_per_second
        operations = self.operations()
        if operations_per_hour is not None:
            assert most_within([at for at, _ in operations], 3600 * SECOND) <= operations_per_hour
        assert most_within(self.successors, 60 * SECOND) <= 1
        assert most_within(self.closes, 10 * SECOND) <= 1
        assert [message["id"] for _, message in operations] == list(range(1, len(operations) + 1))
        subscribed = dict.fromkeys(KEYS, False)
        left: dict[str, list[int]] = {key: [] for key in KEYS}
        for at, message in operations:
            assert 1 <= len(set(message["topics"])) == len(message["topics"]) <= topics_per_frame
            for key in message["topics"]:
                if message["op"] == "unsub":
                    assert subscribed[key] or key in self.came_unasked, "left twice, or before it was asked for"
                    self.came_unasked.discard(key)
                    left[key].append(at)
                subscribed[key] = message["op"] == "sub"
        for times in left.values():
            assert most_within(times, 3600 * SECOND) <= RESUBSCRIBES_PER_HOUR


def most_within(times: list[int], window: int) -> int:
    return max((sum(start <= at < start + window for at in times) for start in times), default=0)


class GreetingVenue(TinyVenue):
    def greeting(self, plan: ConnectionPlan) -> list[str]:
        return ["hello"] * 3


def wire(suspicion: Suspicion | None = None, **limits: Any) -> Wire:
    session = ConnectionSession(GreetingVenue(**limits), 0, ConnectionPlan("p", "ws://x/", TOPICS), 0, 3, suspicion)
    made = Wire(session)
    made.take(0, [Send("tiny", 0, text) for text in session.start(0)])
    return made


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps, max_size=80),
    st.integers(1, 5),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 20)),
    st.sampled_from([Ping("ping", 5.0, 2.0), Ping(None, 180.0, 600.0)]),
    st.sampled_from([None, 0.5, 3.0]),
    st.sampled_from([None, 60.0]),
)
def test_no_schedule_breaks_the_limits(
    schedule: list[tuple[int, tuple[Any, ...]]],
    pace: int,
    width: int,
    operations: int | None,
    ping: Ping,
    fatal: float | None,
    dead: float | None,
) -> None:
    limits = {"frames_per_second": float(pace), "topics_per_frame": width, "operations_per_hour": operations}
    suspects = Suspicion(((KEYS[0], KEYS[3]), (KEYS[6],)), (Guilty(KEYS[1], 1, 50 * SECOND),))
    one = wire(suspects, ping=ping, fatal_subscribe_seconds=fatal, silence_seconds=dead, **limits)
    at = 0
    for wait, what in schedule:
        at += wait
        one.step(at, what)
    one.check(pace, width, operations)
    greetings = [number for number, (_, text) in enumerate(one.sent) if text == "hello"]
    first = next((number for number, (_, text) in enumerate(one.sent) if text.startswith("{")), len(one.sent))
    assert len(greetings) <= 3
    assert not greetings or max(greetings) < first
    for fault in one.session.faults():
        assert fault.since <= at


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=60), st.integers(2, 5), st.integers(1, 6))
def test_silence_is_always_found_and_recovery_always_clears_it(
    schedule: list[tuple[int, tuple[Any, ...]]], pace: int, width: int
) -> None:
    one = wire(frames_per_second=float(pace), topics_per_frame=width, ping=Ping(None, 180.0, 600.0))
    at = 0
    for wait, what in schedule:
        at += wait
        one.step(at, what)
    seen: set[str] = set()
    closed_before = len(one.closes)
    for _ in range(60):  # no data any more; longer than any bound here, resubscribes included
        at += SECOND
        one.step(at, ("tick",))
        seen.update(fault.key for fault in one.session.faults())
    if len(one.closes) == closed_before and not one.session.closing:
        assert seen >= {topic.key for topic in TOPICS if topic.silence_seconds is not None}
    for topic in TOPICS:
        if one.session.phase(topic.key) not in (Phase.LEAVING, Phase.LEFT, Phase.LEAVE_QUEUED):
            one.step(at, ("data", topic.key))
            assert not one.session.is_silent(topic.key)


@settings(max_examples=50, deadline=None)
@given(st.lists(steps, max_size=60))
def test_the_same_events_give_the_same_actions(schedule: list[tuple[int, tuple[Any, ...]]]) -> None:
    first, second = wire(), wire()
    at = 0
    for wait, what in schedule:
        at += wait
        first.step(at, what)
        second.step(at, what)
    assert first.sent == second.sent
    assert first.successors == second.successors
    assert first.session.faults() == second.session.faults()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_survived(frame: bytes) -> None:
    one = wire()
    one.session.route(frame, 1)
    assert not one.session.closing
