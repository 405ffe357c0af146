"""The source that serves a recording over the venues' own protocols.

Playback waits for the first subscriber. Frames go out as recorded, with their old timestamps; books are followed on the side,
so that a client that subscribes or asks for a snapshot later gets the book as it stands at that moment of the playback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import orjson

from monitor.errors import FrameError, RecordingError
from monitor.events import Event, FrameReceived, InstrumentsListed, RestReplied
from monitor.facts import Channel, Instrument
from monitor.simulator.listing import listing
from monitor.simulator.mirror import MirrorBook
from monitor.simulator.source import OutFrame, RestReply
from monitor.venues.base import Venue

HOLD_NS = 500_000_000  # between the first subscription and the first frame: the other topics are subscribed meanwhile
RAW_PREFIX = "raw:"  # topic keys of Binance frames recorded without the stream envelope
SNAPSHOT_PATH = "/fapi/v1/depth"


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    at: int
    venue: str
    key: str  # the topic key
    data: bytes  # as received


@dataclass(frozen=True, slots=True)
class RecordedReply:
    at: int
    venue: str
    address: str  # path and query
    body: bytes


# A client asks again later instead of taking it for an answer.
NOT_RECORDED = RestReply(503, b'{"code":"50026","msg":"not in this recording"}')

Recorded = RecordedFrame | RecordedReply


class RecordingSource:
    """`open_recording` gives the whole recording from its beginning; it is called twice (what is in it; playback).

    Raises:
        RecordingError: no frame in the recording.
    """

    def __init__(
        self,
        open_recording: Callable[[], Iterable[Recorded]],
        instruments: Mapping[str, Iterable[Instrument]],
        *,
        speed: float = 1.0,
    ) -> None:
        self.speed = speed
        self.instruments = {venue: list(listed) for venue, listed in instruments.items()}
        self._keys: dict[str, dict[str, None]] = {}
        self._replies: dict[tuple[str, str], RestReply] = {}
        self.first_at = -1
        for each in open_recording():
            if isinstance(each, RecordedReply):
                # Before its time has come, the first reply stands in: a client asks for instruments before it subscribes.
                self._replies.setdefault((each.venue, _address(each.address)), RestReply(200, each.body))
                continue
            self.first_at = each.at if self.first_at < 0 else self.first_at
            self._keys.setdefault(each.venue, {})[each.key.removeprefix(RAW_PREFIX)] = None
        if self.first_at < 0:
            raise RecordingError("nothing to serve: the recording holds no frame")
        self._aliases: dict[tuple[str, str], dict[str, None]] = {}
        self._mirrors: dict[tuple[str, str], MirrorBook] = {}
        self._entries = iter(open_recording())
        self._next: Recorded | None = next(self._entries, None)
        self._elapsed = 0
        self._started: int | None = None

    @property
    def venues(self) -> list[str]:
        return list(self._keys)

    @property
    def finished(self) -> bool:
        return self._next is None

    @property
    def outages(self) -> frozenset[str]:
        return frozenset()

    def knows(self, venue: str, key: str) -> bool:
        if self._recorded_key(venue, key) is not None:
            return True
        # Topics that say nothing for long, and those the recorder did not ask for: known where the market is.
        return any(i.symbol.upper() in key.upper() for i in self.instruments.get(venue, ())) or _of_all_markets(key)

    def started_by(self, venue: str, key: str) -> None:
        recorded = self._recorded_key(venue, key)
        if recorded is not None and recorded != key:
            self._aliases.setdefault((venue, recorded), {})[key] = None
        if self._started is None:
            self._started = self._elapsed + HOLD_NS

    def opening(self, venue: str, key: str) -> list[bytes]:
        recorded = self._recorded_key(venue, key)
        mirror = None if recorded is None else self._mirrors.get((venue, recorded))
        if mirror is None or recorded is None or venue == "binance_usdm":
            return []
        snapshot = mirror.snapshot()
        return [] if snapshot is None else [_renamed(snapshot, recorded, key)]

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path == SNAPSHOT_PATH:
            name = query.get("symbol", "").lower() + "@depth"
            for (which, key), mirror in self._mirrors.items():
                body = mirror.snapshot() if which == venue and key.startswith(name) else None
                if body is not None:
                    return RestReply(200, body)
        found = self._replies.get((venue, _joined(path, query)))
        return found or listing(venue, path, self.instruments.get(venue, ())) or NOT_RECORDED

    def next_due(self) -> int | None:
        if self._next is None:
            return None
        if self._started is None:
            return self._elapsed + HOLD_NS
        return self._started + int((self._next.at - self.first_at) / self.speed)

    def advance(self, elapsed_ns: int) -> Iterator[OutFrame]:
        self._elapsed = elapsed_ns
        while self._started is not None and self._next is not None:
            due = self.next_due()
            if due is None or due > elapsed_ns:
                return
            entry, self._next = self._next, next(self._entries, None)
            if isinstance(entry, RecordedReply):
                self._reply(entry)
            else:
                yield from self._frame(entry)

    def _reply(self, entry: RecordedReply) -> None:
        self._replies[entry.venue, _address(entry.address)] = RestReply(200, entry.body)
        split = urlsplit(entry.address)
        if split.path == SNAPSHOT_PATH:
            name = dict(parse_qsl(split.query)).get("symbol", "").lower() + "@depth"
            for (venue, key), mirror in self._mirrors.items():
                if venue == entry.venue and key.startswith(name):
                    mirror.seed(entry.body)

    def _frame(self, entry: RecordedFrame) -> Iterator[OutFrame]:
        venue, key = entry.venue, entry.key.removeprefix(RAW_PREFIX)
        data = _inner(entry.data) if venue == "binance_usdm" and key == entry.key else entry.data
        if "@depth" in key or key.startswith(("orderbook.", "books:")):
            self._mirrors.setdefault((venue, key), MirrorBook(venue, key)).apply(data)
        yield OutFrame(venue, key, data)
        for alias in self._aliases.get((venue, key), ()):
            yield OutFrame(venue, alias, _renamed(data, key, alias))

    def _recorded_key(self, venue: str, key: str) -> str | None:
        """The recorded topic that serves this one: itself, or the same book at another speed or depth."""
        keys = self._keys.get(venue, {})
        if key in keys:
            return key
        stem = _stem(key)
        return next((each for each in keys if _stem(each) == stem), None) if stem else None


def recorded(events: Iterable[Event], venues: Mapping[str, Venue]) -> Iterator[Recorded]:
    """The events of a recording as this source wants them; control frames and frames of no topic are left out."""
    for event in events:
        if isinstance(event, FrameReceived) and event.venue in venues:
            key = _topic_of(venues[event.venue], event.data)
            if key is not None:
                yield RecordedFrame(event.at, event.venue, key, event.data)
        elif isinstance(event, RestReplied) and not event.error:
            split = urlsplit(event.request.url)
            address = f"{split.path}?{split.query}" if split.query else split.path
            yield RecordedReply(event.at, event.venue, address, event.body)


def listed_instruments(events: Iterable[Event]) -> dict[str, list[Instrument]]:
    """The instruments a recording ran on, by venue: the last listing of each symbol."""
    found: dict[str, dict[str, Instrument]] = {}
    for event in events:
        if isinstance(event, InstrumentsListed):
            found.setdefault(event.venue, {}).update({each.symbol: each for each in event.instruments})
    return {venue: list(by_symbol.values()) for venue, by_symbol in found.items()}


def _topic_of(venue: Venue, frame: bytes) -> str | None:
    quick = venue.frame_key(frame)
    if quick is not None:
        return quick.decode()
    try:
        key = venue.slow_frame_key(frame)
    except FrameError:
        return None
    topic = None if key is None else venue.topic(key)
    return None if topic is None or topic.channel is Channel.OTHER else key


def _inner(frame: bytes) -> bytes:
    """The event inside Binance's stream envelope, byte for byte where the envelope is the usual one."""
    start = frame.find(b'"data":')
    if frame.startswith(b'{"stream":') and start > 0 and frame.endswith(b"}}"):
        return frame[start + 7 : -1]
    try:
        return orjson.dumps(orjson.loads(frame)["data"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return frame


def _stem(key: str) -> str:
    if "@depth" in key:
        return key.split("@", maxsplit=1)[0] + "@depth"
    return f"orderbook.{key.rsplit('.', 1)[-1]}" if key.startswith("orderbook.") else ""


def _renamed(frame: bytes, key: str, alias: str) -> bytes:
    return frame if key == alias else frame.replace(f'"{key}"'.encode(), f'"{alias}"'.encode(), 1)


def _of_all_markets(key: str) -> bool:
    return key in ("!forceOrder@arr", "!contractInfo", "system.status", "status", "liquidation-orders:SWAP")


def _address(address: str) -> str:
    split = urlsplit(address)
    return _joined(split.path, dict(parse_qsl(split.query)))


def _joined(path: str, query: Mapping[str, str]) -> str:
    return path + "?" + "&".join(f"{name}={value}" for name, value in sorted(query.items()))
