"""A tiny venue of our own, and a small hub that owns sessions the way the real one does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import orjson

from engines.wire.grammar import SequenceRule
from monitor.errors import FrameError, VenueError
from monitor.events import (
    CloseConnection,
    Command,
    Connected,
    Disconnected,
    Event,
    InstrumentsListed,
    OpenSuccessor,
    RestReplied,
    Send,
    VenueHalted,
)
from monitor.facts import Channel, Fact, Instrument
from monitor.feed.session import ConnectionSession
from monitor.feed.suspicion import Suspicion
from monitor.venues.base import (
    Acked,
    BookPolicy,
    ConnectionPlan,
    Control,
    ErrorSaid,
    Limits,
    Ping,
    PingAsked,
    Pong,
    Refused,
    RestRequest,
    ShutdownAnnounced,
    Topic,
    Venue,
)

SECOND = 1_000_000_000

LIMITS = Limits(
    connects=100,
    connects_window_seconds=1.0,
    topics_per_connection=100,
    topics_per_frame=5,
    frames_per_second=4.0,
    operations_per_hour=None,
    lifetime_seconds=None,
    max_frame_bytes=4096,
    ack_timeout_seconds=5.0,
    ping=Ping(text="ping", interval_seconds=20.0, pong_timeout_seconds=10.0),
    rest_weight=1000,
    rest_window_seconds=60.0,
    used_weight_header="X-Used",
)


def book(symbol: str, silence: float | None = 10.0, first: float | None = None) -> Topic:
    return Topic(f"book.{symbol}", Channel.BOOK, (symbol,), silence_seconds=silence, first_seconds=first)


def liquidations(symbol: str) -> Topic:
    return Topic(key=f"liq.{symbol}", channel=Channel.LIQUIDATIONS, symbols=(symbol,))


def data(topic: Topic | str, text: str = "1") -> bytes:
    key = topic if isinstance(topic, str) else topic.key
    return f'{{"t":"{key}","d":"{text}"}}'.encode()


class TinyVenue(Venue):
    name = "tiny"
    title = "Tiny"
    checked = date(2026, 11, 22)
    contract_types = ("linear",)
    limits = LIMITS
    book = BookPolicy(sequence=SequenceRule("counter"), changes_at_any_price=False, window=None)
    liquidation_coverage = "none"
    verification = "none"
    symbol_pattern = "[A-Z]+"
    symbol_example = "AAA"
    origin_ws = "ws://tiny.invalid/path"
    origin_rest = "http://tiny.invalid"
    per_connection = 2

    def __init__(self, **changes: object) -> None:
        self.limits = replace(LIMITS, **changes)  # type: ignore[misc, arg-type]

    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{self.origin_rest}/instruments?page=1", 1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        page = orjson.loads(body)
        found = [
            Instrument("tiny", name, name, "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))
            for name in page["symbols"]
        ]
        follow = page.get("next")
        return found, None if follow is None else RestRequest("instruments", f"{self.origin_rest}{follow}", 1)

    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        plans = []
        for start in range(0, len(instruments), self.per_connection):
            topics = tuple(book(i.symbol) for i in instruments[start : start + self.per_connection])
            plans.append(ConnectionPlan(f"books-{start}", self.origin_ws, topics))
        return plans

    def topic(self, key: str) -> Topic | None:
        kind, _, symbol = key.partition(".")
        return book(symbol) if kind == "book" else liquidations(symbol) if kind == "liq" else None

    def frame_key(self, frame: bytes) -> bytes | None:
        return frame[6 : frame.find(b'"', 6)] if frame.startswith(b'{"t":"') else None

    def slow_frame_key(self, frame: bytes) -> str | None:
        if frame in (b"ping", b"pong"):
            return None
        try:
            parsed = orjson.loads(frame)
        except orjson.JSONDecodeError as error:
            raise FrameError("not JSON") from error
        return parsed.get("t") if isinstance(parsed, dict) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return orjson.dumps({"op": "sub", "id": request_id, "topics": [t.key for t in topics]}).decode()

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return orjson.dumps({"op": "unsub", "id": request_id, "topics": [t.key for t in topics]}).decode()

    def control(self, frame: bytes) -> list[Control]:
        if frame == b"pong":
            return [Pong()]
        if frame == b"ping":
            return [PingAsked("pong")]
        said = orjson.loads(frame)
        match said:
            case {"ack": _}:
                return [
                    Acked(
                        said["ack"],
                        tuple(said.get("keys", ())),
                        said.get("un", False),
                        said.get("only", False),
                        said.get("alias", ""),
                    )
                ]
            case {"refuse": number}:
                return [Refused(said["reason"], number, tuple(said.get("keys", ())), said.get("whole", False))]
            case {"bye": text}:
                return [ShutdownAnnounced(text)]
            case {"error": text}:
                return [ErrorSaid(text)]
        raise FrameError("unknown control frame")

    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        return []

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        if status == 500:
            raise VenueError("HTTP 500 from tiny")


class AliasVenue(TinyVenue):
    """Calls each subscription by a number when it acknowledges it; its frames carry the number alone."""

    aliased = True

    def topic(self, key: str) -> Topic | None:
        return super().topic(key) if "." in key else None

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return orjson.dumps({"op": "unsub", "id": request_id, "topics": [t.alias for t in topics]}).decode()


class NumberingVenue(TinyVenue):
    """Numbers the frames of a connection through, those without a number left out: {"t":"book.A","n":7}."""

    sequenced = True

    def connection_sequence(self, frame: bytes) -> int | None:
        start = frame.rfind(b'"n":')
        return None if start < 0 else int(frame[start + 4 : -1])


def numbered(topic: Topic, number: int) -> bytes:
    return f'{{"t":"{topic.key}","n":{number}}}'.encode()


def ack(number: int | None, *keys: str, **more: object) -> bytes:
    return orjson.dumps({"ack": number, "keys": list(keys), **more})


def refusal(number: int | None, reason: str, *keys: str, whole: bool = False) -> bytes:
    return orjson.dumps({"refuse": number, "reason": reason, "keys": list(keys), "whole": whole})


class SmallHub:
    """Sessions by connection, everything that happened in `events`, and a way to wait for something to have happened."""

    def __init__(self, venue: Venue, seed: int = 1) -> None:
        self.venue = venue
        self.seed = seed
        self.sessions: dict[int, ConnectionSession] = {}
        self.past: list[ConnectionSession] = []
        self.suspicions: dict[str, Suspicion] = {}
        self.events: list[Event] = []
        self.frames: list[tuple[int, bytes]] = []
        self.ticks = 0
        self.on_hook: Callable[[bytes], Sequence[Command]] | None = None
        self.clock_skew = 0  # moves the sessions' time on, so that tests need not wait
        self._changed = asyncio.Condition()
        self._tellers: set[asyncio.Task[None]] = set()

    def on_event(self, event: Event) -> Sequence[Command]:
        self.events.append(event)
        self._tell()
        match event:
            case Connected():
                suspicion = self.suspicions.pop(event.plan.name, None)
                session = ConnectionSession(
                    self.venue, event.connection, event.plan, event.at + self.clock_skew, self.seed, suspicion
                )
                self.sessions[event.connection] = session
                texts = session.start(event.at + self.clock_skew)
                return [Send(event.venue, event.connection, text) for text in texts]
            case Disconnected():
                ended = self.sessions.pop(event.connection)
                self.past.append(ended)
                suspicion = ended.suspects(event.at + self.clock_skew, event.reason)
                if suspicion is not None:
                    self.suspicions[ended.plan.name] = suspicion
        return ()

    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        self.frames.append((connection, data))
        self._tell()
        if self.on_hook is not None:
            return self.on_hook(data)
        session = self.sessions[connection]
        if session.route(data, at + self.clock_skew) is None:
            return session.drain(at + self.clock_skew)
        if session.carrying:
            for other in list(self.sessions.values()):
                if other is not session and other.plan == session.plan and other.opened_at < session.opened_at:
                    return [CloseConnection(venue, other.connection, "succeeded")]
        return ()

    def on_tick(self, at: int) -> Sequence[Command]:
        self.ticks += 1
        commands: list[Command] = []
        for session in list(self.sessions.values()):
            commands.extend(session.tick(at + self.clock_skew))
        self._tell()
        return commands

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.get_running_loop().create_task(tell())
        self._tellers.add(task)
        task.add_done_callback(self._tellers.discard)

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def disconnects(self) -> list[str]:
        return [event.reason for event in self.of(Disconnected)]


__all__ = [
    "LIMITS",
    "SECOND",
    "AliasVenue",
    "InstrumentsListed",
    "NumberingVenue",
    "OpenSuccessor",
    "RestReplied",
    "SmallHub",
    "TinyVenue",
    "VenueHalted",
    "ack",
    "book",
    "data",
    "liquidations",
    "numbered",
    "refusal",
]
