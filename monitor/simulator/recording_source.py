"""The source that serves a recording over the venues' own protocols.

Playback waits for the first subscriber. Frames go out as recorded, with their old timestamps; books are followed on the side,
so that a client that subscribes or asks for a snapshot later gets the book as it stands at that moment of the playback, where the
venue's writer can put it into words (`VenueFrames.standing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from monitor.errors import RecordingError
from monitor.events import Event, FrameReceived, InstrumentsListed, RestReplied
from monitor.facts import Instrument
from monitor.simulator.listing import Listing, address_of, joined
from monitor.simulator.mirror import MirrorBook
from monitor.simulator.recorded_topics import RecordedTopics
from monitor.simulator.source import OutFrame, RestReply
from monitor.venues.base import Venue
from monitor.venues.registry import VENUES

HOLD_NS = 500_000_000  # between the first subscription and the first frame: the other topics are subscribed meanwhile


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    at: int
    venue: str
    key: str  # the topic key of the venue module
    data: bytes  # as received


@dataclass(frozen=True, slots=True)
class RecordedReply:
    at: int
    venue: str
    address: str  # path and query, with posted members in it
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
        venues: Mapping[str, Venue] = VENUES,
    ) -> None:
        self.speed = speed
        self._venues = venues
        self.instruments = {venue: list(listed) for venue, listed in instruments.items()}
        self._listings: dict[str, Listing] = {}
        self._keys: dict[str, dict[str, None]] = {}
        self._replies: dict[tuple[str, str], RestReply] = {}
        self.first_at = -1
        for each in open_recording():
            listing = self._listing(each.venue)
            if isinstance(each, RecordedReply):
                # Before its time has come, the first reply stands in: a client asks for instruments before it subscribes.
                self._replies.setdefault((each.venue, _address(each.address)), RestReply(200, each.body))
                continue
            self.first_at = each.at if self.first_at < 0 else self.first_at
            self._keys.setdefault(each.venue, {})[listing.frames.recorded(each.key, b"")[0]] = None
        if self.first_at < 0:
            raise RecordingError("nothing to serve: the recording holds no frame")
        self._aliases: dict[tuple[str, str], dict[str, None]] = {}
        self._mirrors: dict[tuple[str, str], MirrorBook | None] = {}  # None: a topic that is no book
        self._entries = iter(open_recording())
        self._next: Recorded | None = next(self._entries, None)
        self._elapsed = 0
        self._started: int | None = None

    def _listing(self, venue: str) -> Listing:
        found = self._listings.get(venue)
        if found is None:
            found = self._listings[venue] = Listing(self._venues[venue], self.instruments.get(venue, ()))
        return found

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
        """Also topics that say nothing for long, and those the recorder did not ask for: known where the market is."""
        return self._recorded_key(venue, key) is not None or self._listing(venue).knows(key)

    def started_by(self, venue: str, key: str) -> None:
        recorded = self._recorded_key(venue, key)
        if recorded is not None and recorded != key:
            self._aliases.setdefault((venue, recorded), {})[key] = None
        if self._started is None:
            self._started = self._elapsed + HOLD_NS

    def opening(self, venue: str, key: str) -> list[bytes]:
        recorded = self._recorded_key(venue, key)
        mirror = None if recorded is None else self._mirrors.get((venue, recorded))
        book = None if mirror is None else mirror.standing()
        return [] if book is None else self._listing(venue).frames.standing(key, book)

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        listing = self._listing(venue)
        asked = {name: value for name, value in query.items() if name not in listing.front.reads_headers}
        if path in listing.front.snapshot_paths:
            mirror = self._mirror_of(venue, listing.front.symbol_of(path, asked))
            book = None if mirror is None else mirror.standing()
            reply = None if book is None else listing.frames.standing_reply(path, asked, book)
            if reply is not None:
                return reply
        return self._replies.get((venue, joined(path, asked))) or listing.rest(path, asked) or NOT_RECORDED

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
        front = self._listing(entry.venue).front
        if split.path in front.snapshot_paths:
            mirror = self._mirror_of(entry.venue, front.symbol_of(split.path, dict(parse_qsl(split.query))))
            if mirror is not None:
                mirror.seed(entry.body)

    def _frame(self, entry: RecordedFrame) -> Iterator[OutFrame]:
        venue = entry.venue
        key, data = self._listing(venue).frames.recorded(entry.key, entry.data)
        mirror = self._mirror(venue, key, entry.key)
        if mirror is not None:
            mirror.apply(entry.data)
        yield OutFrame(venue, key, data)
        for alias in self._aliases.get((venue, key), ()):
            yield OutFrame(venue, alias, data.replace(f'"{key}"'.encode(), f'"{alias}"'.encode(), 1))

    def _mirror(self, venue: str, key: str, recorded: str) -> MirrorBook | None:
        """The book a topic is about, from its first frame on."""
        if (venue, key) not in self._mirrors:
            topic = self._venues[venue].topic(recorded)
            made = None
            if topic is not None and topic.book is not None and topic.significant_figures is None:
                instrument = self._listing(venue).instruments.get(topic.symbols[0])
                policy = topic.policy or self._venues[venue].book
                made = None if instrument is None else MirrorBook(instrument, topic, policy)
            self._mirrors[venue, key] = made
        return self._mirrors[venue, key]

    def _mirror_of(self, venue: str, symbol: str) -> MirrorBook | None:
        for (which, _), mirror in self._mirrors.items():
            if mirror is not None and which == venue and mirror.instrument.symbol == symbol:
                return mirror
        return None

    def _recorded_key(self, venue: str, key: str) -> str | None:
        """The recorded topic that serves this one: itself, or the same book at another speed or depth."""
        keys = self._keys.get(venue, {})
        if key in keys or not keys:
            return key if key in keys else None
        same = self._listing(venue).frames.same_book
        stem = same(key)
        return next((each for each in keys if same(each) == stem), None) if stem else None


def recorded(events: Iterable[Event], venues: Mapping[str, Venue]) -> Iterator[Recorded]:
    """The events of a recording as this source wants them; control frames and frames of no topic are left out."""
    topics = RecordedTopics(venues)
    for event in events:
        if isinstance(event, FrameReceived) and event.venue in venues:
            for key, data in topics.parts(event):
                yield RecordedFrame(event.at, event.venue, key, data)
        elif isinstance(event, RestReplied) and not event.error:
            yield RecordedReply(event.at, event.venue, address_of(event.request), event.body)
        else:
            topics.note(event)


def listed_instruments(events: Iterable[Event]) -> dict[str, list[Instrument]]:
    """The instruments a recording ran on, by venue: the last listing of each symbol."""
    found: dict[str, dict[str, Instrument]] = {}
    for event in events:
        if isinstance(event, InstrumentsListed):
            found.setdefault(event.venue, {}).update({each.symbol: each for each in event.instruments})
    return {venue: list(by_symbol.values()) for venue, by_symbol in found.items()}


def _address(address: str) -> str:
    split = urlsplit(address)
    return joined(split.path, dict(parse_qsl(split.query)))
