"""Venues whose frames carry a number instead of their topic: every file of a recording, and every import, still tells whose they are."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.wire.grammar import BookGrammar, SequenceRule
from monitor.capture.aliases import learn
from monitor.capture.import_job import Job
from monitor.capture.lines import CaptureLine
from monitor.capture.reader import Recording
from monitor.capture.recorder import Recorder
from monitor.capture.recording_set import RecordingSet
from monitor.capture.retention import own_files
from monitor.capture.standing import Standing
from monitor.errors import FrameError
from monitor.events import Connected, Disconnected, Event, FrameReceived
from monitor.facts import Channel, Fact, Instrument
from monitor.feed.aliases import Aliases
from monitor.feed.session import ConnectionSession
from monitor.venues.base import (
    Acked,
    BookPolicy,
    ConnectionPlan,
    Control,
    Limits,
    Ping,
    RestRequest,
    Topic,
    Venue,
)

SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND
GRAMMAR = BookGrammar(bids=("b",), asks=("a",))


class NumberingVenue(Venue):
    """Data: [7,"..."]. Acks: {"named":"book.X","number":7}, {"left":7}."""

    name = "numbering"
    title = "Numbering"
    checked = date(2026, 11, 22)
    contract_types = ("spot",)
    limits = Limits(10, 60.0, 25, 1, 20.0, None, None, 4096, 5.0, Ping(None, 60.0, 60.0), 100, 60.0)
    book = BookPolicy(sequence=SequenceRule("counter"), changes_at_any_price=False, window=None)
    liquidation_coverage = "none"
    verification = "none"
    symbol_pattern = "[A-Z]+"
    symbol_example = "BTCUSDT"
    aliased = True

    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return []

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        return [], None

    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        return [ConnectionPlan("all", "wss://numbering/ws", tuple(topic(one.symbol) for one in instruments))]

    def topic(self, key: str) -> Topic | None:
        return topic(key[5:]) if key.startswith("book.") else None

    def frame_key(self, frame: bytes) -> bytes | None:
        return frame[1 : frame.find(b",")] if frame.startswith(b"[") else None

    def slow_frame_key(self, frame: bytes) -> str | None:
        try:
            orjson.loads(frame)
        except orjson.JSONDecodeError:
            raise FrameError("not JSON") from None
        return None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return ""

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return ""

    def control(self, frame: bytes) -> list[Control]:
        match orjson.loads(frame):
            case {"named": str(key), "number": int(number)}:
                return [Acked(keys=(key,), alias=str(number))]
            case {"left": int(number)}:
                return [Acked(unsubscribed=True, alias=str(number))]
        raise FrameError("unknown")

    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        return []

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        return


VENUE = NumberingVenue()


def topic(symbol: str) -> Topic:
    return Topic(f"book.{symbol}", Channel.BOOK, (symbol,), 30.0, book=GRAMMAR)


def topic_of(venue: str, key: str) -> Topic | None:
    return VENUE.topic(key)


def connected(at: int, connection: int, *symbols: str) -> Connected:
    plan = ConnectionPlan("all", "wss://numbering/ws", tuple(topic(symbol) for symbol in symbols))
    return Connected(at, VENUE.name, connection, plan)


def named(symbol: str, number: int) -> bytes:
    return orjson.dumps({"named": f"book.{symbol}", "number": number})


def routed(events: Sequence[Event]) -> list[tuple[int, bytes, str | None]]:
    """Whose each data frame is, by the sessions that a replay makes."""
    sessions: dict[int, ConnectionSession] = {}
    found = []
    for event in events:
        match event:
            case Connected():
                sessions[event.connection] = ConnectionSession(VENUE, event.connection, event.plan, event.at, 0)
            case Disconnected():
                del sessions[event.connection]
            case FrameReceived():
                owner = sessions[event.connection].route(event.data, event.at)
                if event.data.startswith(b"["):
                    found.append((event.at, event.data, None if owner is None else owner.key))
    return found


def life_of_two_connections(count: int) -> list[Event]:
    """Names given, changed by a resubscribe, and given again to others after a reconnect."""
    noise = random.Random(5)
    events: list[Event] = [connected(START, 0, "AUSD", "BUSD"), connected(START, 1, "CUSD")]
    at = START

    def frame(connection: int, data: bytes) -> None:
        events.append(FrameReceived(at, VENUE.name, connection, data))

    numbers = {"AUSD": (0, 1), "BUSD": (0, 2), "CUSD": (1, 1)}
    for symbol, (connection, number) in numbers.items():
        frame(connection, named(symbol, number))
    for step in range(count):
        at += SECOND // 100
        if step == count // 3:
            frame(0, b'{"left":1}')
            frame(0, named("AUSD", 3))
            numbers["AUSD"] = (0, 3)
        elif step == count * 2 // 3:
            events.append(Disconnected(at, VENUE.name, 0, "connection_lost"))
            events.append(connected(at, 0, "AUSD", "BUSD"))
            frame(0, named("BUSD", 1))
            frame(0, named("AUSD", 2))
            numbers |= {"BUSD": (0, 1), "AUSD": (0, 2)}
        symbol = ("AUSD", "BUSD", "CUSD")[step % 3]
        connection, number = numbers[symbol]
        frame(connection, b'[%d,"%s"]' % (number, noise.randbytes(700).hex().encode()))
    return events


def test_every_file_of_a_recording_routes_by_itself(tmp_path: Path) -> None:
    events = life_of_two_connections(600)
    whole = routed(events)
    assert {key for _, _, key in whole} == {"book.AUSD", "book.BUSD", "book.CUSD"}
    recorder = Recorder(tmp_path, 1.0, rotate_bytes=80_000, venues=lambda: {VENUE.name: VENUE})
    recorder.start()
    for number, event in enumerate(events):
        recorder.write(event)
        if number % 40 == 39:
            wait_until_written(recorder)
    recorder.close()
    files = own_files(tmp_path, "undertow-1")
    assert len(files) >= 6
    assert list(RecordingSet.open([tmp_path], topic_of=topic_of).events()) == events
    told: list[tuple[int, bytes, str | None]] = []
    for file in files:
        told += routed(list(Recording(file.path, topic_of=topic_of).events()))
    assert told == whole


def wait_until_written(recorder: Recorder) -> None:
    deadline = time.monotonic() + 10
    while recorder.stats.pending_bytes and time.monotonic() < deadline:
        time.sleep(0.01)


def test_other_venues_are_not_looked_into() -> None:
    class Plain(NumberingVenue):
        aliased = False

        def frame_key(self, frame: bytes) -> bytes | None:
            raise AssertionError("looked at")

    standing = Standing(lambda: {VENUE.name: Plain()})
    event = connected(START, 0, "AUSD")
    standing.update(event)
    standing.frame(VENUE.name, 0, named("AUSD", 1))
    assert list(standing.events(START)) == [event]
    unknown = Standing(dict)
    unknown.update(event)
    unknown.frame(VENUE.name, 0, b"x")
    assert list(unknown.events(START)) == [event]


@given(st.binary(max_size=40))
def test_any_frame_is_survived(frame: bytes) -> None:
    aliases = Aliases()
    learn(VENUE, aliases, frame)
    assert not aliases.alias_of


@pytest.mark.parametrize("frame", [b'[1,"x"]', b'{"left":5}', b'{"named":"book.A"}', b"pong"])
def test_what_names_nothing_changes_nothing(frame: bytes) -> None:
    aliases = Aliases()
    aliases.name("book.A", "1")
    learn(VENUE, aliases, frame)
    assert aliases.alias_of == {"book.A": "1"}


def test_an_import_finds_the_topics_by_their_names(tmp_path: Path) -> None:
    """Two connections that use the same numbers for different topics; the second one is opened anew half way."""
    data = b'{"b":[["1.25","0.5"]],"a":[]}'
    lines = [
        CaptureLine(START, "open", b"", "1", "x"),
        CaptureLine(START, "frame", named("AUSD", 1), "2", "x"),
        CaptureLine(START, "open", b"", "3", "y"),
        CaptureLine(START, "frame", named("BUSD", 1), "4", "y"),
        CaptureLine(START, "frame", b"[1," + data + b"]", "5", "x"),
        CaptureLine(START, "frame", b"[1," + data + b"]", "6", "y"),
        CaptureLine(START, "open", b"", "7", "y"),
        CaptureLine(START, "frame", named("CUSD", 1), "8", "y"),
        CaptureLine(START, "frame", b"[1," + data + b"]", "9", "y"),
        CaptureLine(START, "frame", b"[8," + data + b"]", "10", "y"),
    ]
    job = Job(VENUE, tmp_path / "capture", None)
    job.survey(iter(lines))
    events = list(job.events(iter(lines), ()))
    report = job.report("fake", tmp_path / "x.mcap", ())
    assert report.frames_by_key == {"": 4, "book.AUSD": 1, "book.BUSD": 1, "book.CUSD": 1}
    assert [key for _, _, key in routed(events)] == ["book.AUSD", "book.BUSD", "book.CUSD", None]
