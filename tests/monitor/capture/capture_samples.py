"""What the capture tests share: a venue nobody knows, and events of every kind."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from engines.wire.grammar import BookGrammar
from monitor.capture.writer import RecordingWriter
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed, RestReplied, VenueHalted
from monitor.facts import Channel, Instrument
from monitor.venues.base import ConnectionPlan, RestRequest, Topic

BOOK = BookGrammar(bids=("b",), asks=("a",))


def topic_of(venue: str, key: str) -> Topic | None:
    """The topics of the fake venue: `book.X` has a grammar, `trades.X` is not known any more."""
    if key.startswith("book."):
        return Topic(key, Channel.BOOK, (key[5:],), 30.0, book=BOOK)
    return None


def make_instrument(symbol: str = "BTCUSDT") -> Instrument:
    return Instrument("fake", symbol, "BTC", "USDT", "USDT", "linear", Decimal("0.10"), Decimal("0.001"))


def make_connected(at: int, connection: int = 0, *symbols: str) -> Connected:
    topics = tuple(Topic(f"book.{s}", Channel.BOOK, (s,), 30.0, book=BOOK) for s in symbols or ("BTCUSDT",))
    return Connected(at, "fake", connection, ConnectionPlan("books", "wss://fake/ws", topics))


def make_frames(count: int, start: int = 10, connection: int = 0) -> list[Event]:
    return [FrameReceived(start + i, "fake", connection, b'{"n":%d}' % (start + i)) for i in range(count)]


def sample_events(start: int = 1_000_000_000) -> list[Event]:
    """One of each, in an order that happens."""
    request = RestRequest("snapshot", "https://fake/depth?symbol=BTCUSDT", 20, "BTCUSDT")
    return [
        InstrumentsListed(start, "fake", (make_instrument(),), (("NOPE", "not listed"),)),
        make_connected(start + 1),
        FrameReceived(start + 2, "fake", 0, b'{"result":null,"id":1}'),
        FrameReceived(start + 2, "fake", 0, b"pong"),
        RestReplied(start + 3, "fake", request, b'{"lastUpdateId":1}'),
        RestReplied(start + 4, "fake", request, b"\xff\xfe not text", "failed"),
        FrameReceived(start + 5, "fake", 0, b""),
        VenueHalted(start + 6, "other", "http_418", None),
        VenueHalted(start + 7, "other", "http_418", start + 9),
        Disconnected(start + 8, "fake", 0, "silent"),
    ]


def write_file(path: Path, events: list[Event], flush_every: int = 1000) -> Path:
    writer = RecordingWriter(path, instance="test", run="r", part=0, created=events[0].at if events else 0)
    for number, event in enumerate(events, 1):
        writer.write(event)
        if number % flush_every == 0:
            writer.container.flush()
    writer.container.close()
    return path
