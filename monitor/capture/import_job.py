"""One import: what the first pass over a capture learns, the events of the second, and the report of both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import orjson

from monitor.capture.aliases import learn
from monitor.capture.inference import Finest, book_values, topic_values
from monitor.capture.lines import CaptureLine, shown
from monitor.errors import FrameError, RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed, RestReplied
from monitor.facts import Channel, Instrument
from monitor.feed.aliases import Aliases
from monitor.venues.base import ConnectionPlan, Topic, Venue
from monitor.venues.recognise import Sender, recognise

INSTANCE: Final = "import"  # never the name of a service that deletes its own old files: imports are kept
_SYMBOL_PARAMETERS: Final = ("symbol", "instId")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `skipped`: reason -> lines that are not in the recording."""

    format: str
    venue: str
    path: Path
    out: Path
    lines: int
    frames: int
    replies: int
    connections: int
    frames_by_key: Mapping[str, int]  # control frames under ""
    skipped: Mapping[str, int]
    instruments: tuple[Instrument, ...]
    start: int
    end: int
    notices: tuple[str, ...]


def sender_of(line: CaptureLine) -> Sender | None:
    try:
        return recognise(orjson.loads(line.data))
    except ValueError:
        return None


def refuse_retired(path: Path, line: CaptureLine, sender: Sender) -> None:
    if sender.retired:
        raise RecordingError(
            f"{path} cannot be imported: {sender.retired}; first such frame at {line.place}: {shown(line.data)}"
        )


@dataclass(slots=True)
class _Source:
    """One connection of the capture."""

    index: int
    url: str = ""
    keys: dict[str, Topic] = field(default_factory=dict)
    open: bool = False


class Job:
    """One import: what the first pass learnt and the second one counts."""

    def __init__(self, venue: Venue, path: Path, symbols: frozenset[str] | None) -> None:
        self.venue = venue
        self.path = path
        self.symbols = symbols
        self.finest: dict[str, Finest] = {}
        self.start = 0
        self._sources: dict[str, _Source] = {}
        self._aliases: dict[str, Aliases] = {}  # source -> what the venue called its subscriptions
        self._topics: dict[str, Topic] = {}
        self._known_keys = 0
        self._lines = self._frames = self._replies = self._connections = self._reordered = 0
        self._by_key: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._unknown_keys: dict[str, None] = {}
        self._end = 0

    # -- first pass
    def survey(self, lines: Iterator[CaptureLine]) -> None:
        first: CaptureLine | None = None
        for line in lines:
            if not self.start:
                self.start = line.at
            if line.kind == "open":
                self._source(line.source)
                self._aliases.pop(line.source, None)
            elif line.kind == "frame":
                first = first or line
                self._survey_frame(line)
            elif line.kind == "reply":
                self._survey_reply(line)
        if first is None:
            raise RecordingError(f"{self.path} holds no frame: give another recorder's capture")
        if not self._known_keys:
            raise RecordingError(
                f"{self.path} holds no frame of {self.venue.name} (the first is {shown(first.data)} at {first.place}): "
                "give the right --venue"
            )

    def _survey_frame(self, line: CaptureLine) -> None:
        sender = sender_of(line)
        if sender is not None:
            refuse_retired(self.path, line, sender)
        topic = self._topic(line)
        if topic is None or not self._wanted(topic):
            return
        self._source(line.source).keys.setdefault(topic.key, topic)
        if len(topic.symbols) == 1:
            for price, size in topic_values(topic, line.data):
                self.finest.setdefault(topic.symbols[0], Finest()).see(price, size)

    def _survey_reply(self, line: CaptureLine) -> None:
        grammar, symbol = self.venue.book.snapshot_grammar, self._reply_symbol(line)
        if grammar is None or symbol is None or not self._wanted_symbol(symbol):
            return
        for price, size in book_values(grammar, line.data):
            self.finest.setdefault(symbol, Finest()).see(price, size)

    # -- second pass
    def events(self, lines: Iterator[CaptureLine], instruments: tuple[Instrument, ...]) -> Iterator[Event]:
        """The recording's events. `instruments` are listed first, sockets open where the capture says so or before their first frame."""
        by_symbol = {instrument.symbol: instrument for instrument in instruments}
        name, at = self.venue.name, self.start
        yield InstrumentsListed(at, name, instruments)
        self._aliases.clear()
        for line in lines:
            self._lines += 1
            self._reordered += line.at < at
            at = max(at, line.at)
            if line.kind == "sent":
                self._skipped["sent by the recorder"] += 1
            elif line.kind == "open":
                self._aliases.pop(line.source, None)
                yield from self._opened(at, self._source(line.source), line.url, instruments)
            elif line.kind == "reply":
                reply = self._reply(at, line, by_symbol)
                if reply is not None:
                    yield reply
            else:
                topic = self._topic(line)
                if topic is not None and not self._wanted(topic):
                    self._skipped["market not asked for"] += 1
                    continue
                source = self._source(line.source)
                if not source.open:
                    yield from self._opened(at, source, "", instruments)
                self._frames += 1
                self._by_key[topic.key if topic else ""] += 1
                yield FrameReceived(at, name, source.index, line.data)
        self._end = at

    def _opened(
        self, at: int, source: _Source, url: str, instruments: tuple[Instrument, ...]
    ) -> Iterator[Connected | Disconnected]:
        if source.open:
            yield Disconnected(at, self.venue.name, source.index, "connection_lost")
        source.open = True
        plans = self.venue.connections(instruments)
        plan = ConnectionPlan(
            name=f"{INSTANCE}-{source.index}",
            url=url or (plans[0].url if plans else ""),
            topics=tuple(source.keys[key] for key in sorted(source.keys)),
        )
        self._connections += 1
        yield Connected(at, self.venue.name, source.index, plan)

    def _reply(self, at: int, line: CaptureLine, by_symbol: Mapping[str, Instrument]) -> RestReplied | None:
        symbol = self._reply_symbol(line)
        if symbol is not None and not self._wanted_symbol(symbol):
            self._skipped["market not asked for"] += 1
            return None
        instrument = by_symbol.get(symbol or "")
        request = self.venue.snapshot_request(instrument) if instrument else None
        if request is None or not self._is_snapshot(line.data):
            self._skipped["REST reply that is no book snapshot of a known market"] += 1
            return None
        self._replies += 1
        return RestReplied(at, self.venue.name, request, line.data)

    # -- both
    def _topic(self, line: CaptureLine) -> Topic | None:
        """The topic of a data frame; unknown keys become topics that are known and not used."""
        frame = line.data
        found = self.venue.frame_key(frame)
        try:
            key = found.decode() if found is not None else self.venue.slow_frame_key(frame)
        except (FrameError, UnicodeDecodeError):
            key = None
        if self.venue.aliased:
            key = self._named(line, key)
        if key is None:
            return None
        topic = self._topics.get(key)
        if topic is None:
            known = self.venue.topic(key)
            if known is None:
                self._unknown_keys[key] = None
            else:
                self._known_keys += 1
            topic = self._topics[key] = known or Topic(key, Channel.OTHER, ())
        return topic

    def _named(self, line: CaptureLine, alias: str | None) -> str | None:
        """The key that a frame's alias stands for on its connection; one that no acknowledgement explained stands for nothing."""
        aliases = self._aliases.setdefault(line.source, Aliases())
        learn(self.venue, aliases, line.data)
        key = None if alias is None else aliases.key(alias)
        if alias is not None and key is None:
            self._unknown_keys[alias] = None
        return key

    def _wanted(self, topic: Topic) -> bool:
        return self.symbols is None or not topic.symbols or not self.symbols.isdisjoint(topic.symbols)

    def _wanted_symbol(self, symbol: str) -> bool:
        return self.symbols is None or symbol in self.symbols

    def _reply_symbol(self, line: CaptureLine) -> str | None:
        """The market a REST reply is about: its address says it, or the capture has only one market."""
        query = parse_qs(urlsplit(line.url).query)
        for parameter in _SYMBOL_PARAMETERS:
            if parameter in query:
                return query[parameter][0]
        markets = {topic.symbols[0] for topic in self._topics.values() if len(topic.symbols) == 1}
        return markets.pop() if len(markets) == 1 else None

    def _is_snapshot(self, body: bytes) -> bool:
        grammar = self.venue.book.snapshot_grammar
        return grammar is not None and next(book_values(grammar, body), None) is not None

    def _source(self, name: str) -> _Source:
        return self._sources.setdefault(name, _Source(len(self._sources)))

    def report(self, format: str, out: Path, instruments: tuple[Instrument, ...]) -> ImportReport:
        notices = [
            f"tick and lot of {instrument.symbol} are inferred from the finest decimals seen: "
            f"{instrument.tick_size}, {instrument.lot_size}"
            for instrument in instruments
            if instrument.status.startswith("inferred")
        ]
        if self.venue.book.sequence.seeded_by_rest and not self._replies:
            notices.append(
                "no REST book snapshot in the capture: its books stay unreadable "
                "(cryptofeed keeps them in files of their own: give the folder)"
            )
        if self._unknown_keys:
            notices.append(f"frames kept but not used, of topics {', '.join(list(self._unknown_keys)[:10])}")
        if self._reordered:
            notices.append(f"{self._reordered} lines went back in time and were moved to the time before them")
        return ImportReport(
            format=format,
            venue=self.venue.name,
            path=self.path,
            out=out,
            lines=self._lines,
            frames=self._frames,
            replies=self._replies,
            connections=self._connections,
            frames_by_key=dict(sorted(self._by_key.items())),
            skipped=dict(self._skipped),
            instruments=instruments,
            start=self.start,
            end=self._end,
            notices=tuple(notices),
        )
