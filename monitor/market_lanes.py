"""What of one market comes over connections: its book on each of them, its coarse layers, its trades, and who is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from engines.book.hot import Scratch
from engines.book.live_book import LiveBook
from engines.book.withdrawal import WithdrawalMeter
from monitor.book_lane import BookLane
from monitor.facts import Instrument, MarginTiers
from monitor.grids import worth_of
from monitor.layers import Layers
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import Topic, Venue

# One frame is read at a time, so all books share the place a scanned frame lies in: it stays in the processor's cache.
SCRATCH: Final = Scratch()


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """What every market of a process shares.

    tiers: margin tiers out of the user's file, by venue and symbol. keyed: venues for which there is an API key.
    """

    bands: tuple[str, ...]
    slippage_usd: tuple[int, ...]
    floor_settle: int  # ns
    tiers: Mapping[tuple[str, str], MarginTiers] = field(default_factory=dict)
    keyed: frozenset[str] = frozenset()


class MarketLanes:
    """The connection side of a `Market`."""

    def __init__(self, venue: Venue, instrument: Instrument, options: MarketOptions) -> None:
        self.venue = venue
        self.instrument = instrument
        self.books: dict[int, BookLane] = {}
        self.layers = Layers()
        self.active: int | None = None
        self.trades: dict[int, TradeLane] = {}
        self.tally = TradeTally()
        self.meter = self.tally.meter = WithdrawalMeter()
        self._options = options
        self._scale = instrument.scale
        self._resting: BookLane | None = None  # of a lost connection; the next one takes its book over
        self._retired: Counter[str] = Counter()  # counts of books that are gone
        self._retired_resyncs: Counter[str] = Counter()

    def open_book(self, connection: int, topic: Topic, at: int) -> BookLane:
        """The lane of a book topic on a connection that opened. While another carries the market, it runs beside it."""
        if topic.book is None:
            raise ValueError(f"topic {topic.key} carries no book")
        book = None
        if self.active is None and self._resting is not None:
            if replace(self._resting.topic, alias="") == replace(
                topic, alias=""
            ):  # the name on one connection says nothing
                book = self._resting.book
            else:  # a recording may go on with another stream of the same market
                self._retire(self._resting.book)
            self._resting = None
        lane = self.books[connection] = self._lane(topic, book or self._new_book(topic))
        if self.active is None:
            self.active = connection
        return lane

    def open_layer(self, connection: int, topic: Topic) -> BookLane:
        """The lane of a coarse stream of the market."""
        lane = self.layers.lanes[connection, topic.key] = self._lane(topic, self._new_book(topic))
        return lane

    def _lane(self, topic: Topic, book: LiveBook) -> BookLane:
        lane = BookLane(self.venue, self.instrument, topic, book)
        lane.on_regrid = self._regridded
        return lane

    def _new_book(self, topic: Topic) -> LiveBook:
        assert topic.book is not None
        policy = topic.policy or self.venue.book
        return LiveBook(
            scale=self._scale,
            market=self.instrument.symbol,
            grammar=topic.book,
            rule=policy.sequence,
            checksum=policy.checksum,
            crossing=policy.crossing,
            changes_at_any_price=policy.changes_at_any_price and topic.significant_figures is None,
            window=topic.window if topic.window is not None else policy.window,
            snapshot_grammar=policy.snapshot_grammar,
            deep_grammar=policy.deep_grammar,
            snapshot_levels=policy.snapshot_levels,
            deep_levels=policy.deep_levels,
            floor_settle_ns=self._options.floor_settle,
            scratch=SCRATCH,
            worth=worth_of(self.instrument, self._scale),
        )

    def open_trades(self, connection: int, topic: Topic) -> TradeLane:
        lane = self.trades[connection] = TradeLane(self.instrument, topic, self._scale, self.tally)
        self._mark_overlap()
        return lane

    def close(self, connection: int, at: int) -> None:
        """The connection is gone."""
        self.trades.pop(connection, None)
        self._mark_overlap()
        self.layers.close(connection)
        lane = self.books.pop(connection, None)
        if lane is None:
            return
        if connection != self.active:  # succeeded, or a successor that never came to carry the market: nothing is lost
            self._retire(lane.book)
            return
        self.meter.lose()
        self.active = next(iter(self.books), None)
        if self.active is None:
            lane.book.disconnected(at)
            self._resting = lane
        else:
            self.books[self.active].adopt(lane, at)
            lane.book.disconnected(at)
            self._retire(lane.book)

    def connection_gap(self, connection: int, at: int) -> None:
        """A frame of the connection is lost, of whatever topic: nothing it brought is known any more, and it brings no more."""
        self.trades.pop(connection, None)
        self._mark_overlap()
        for layer in self.layers.of(connection):
            layer.connection_gap(at)
        lane = self.books.get(connection)
        if lane is not None:
            lane.connection_gap(at)
            if connection == self.active:
                self.meter.lose()

    def promote(self, connection: int, at: int) -> None:
        """`connection` carries the market from now on; what the older book knows beyond the new one is carried over."""
        old = self.books.get(self.active) if self.active is not None else None
        new = self.books[connection]
        if old is not None and old is not new:
            new.adopt(old, at)
            self.meter.lose()
        self.active = connection

    def ready(self, connection: int) -> bool:
        """Whether the book on `connection` can be read."""
        lane = self.books.get(connection)
        return lane is not None and lane.readable

    @property
    def book(self) -> LiveBook | None:
        """The book that is read: of the active connection, or the one that waits for the next."""
        lane = self.books.get(self.active) if self.active is not None else self._resting
        return lane.book if lane is not None else None

    def _mark_overlap(self) -> None:
        for lane in self.trades.values():
            lane.share(len(self.trades) > 1)

    def _retire(self, book: LiveBook) -> None:
        self._retired.update(book.counters)
        self._retired_resyncs.update(book.resyncs)

    def relist(self, instrument: Instrument, at: int) -> None:
        """The listing was read again."""
        before, self.instrument = self.instrument, instrument
        if _units(instrument) == _units(before):
            return
        self._scale = instrument.scale
        self.meter.lose()
        for lane in (*self.books.values(), *self.layers.lanes.values()):
            lane.relist(instrument, at)
        for trades in self.trades.values():
            trades.regrid(instrument, self._scale)
        if self._resting is not None:
            self._retire(self._resting.book)
            self._resting = None

    def _regridded(self, lane: BookLane, at: int) -> None:
        """The frames of a book showed another grid than the listed one: trades, and the layers that are joined to it, come on it too."""
        self._scale = lane.book.scale
        self.meter.lose()
        for trades in self.trades.values():
            trades.regrid(self.instrument, self._scale)
        coarse = lane.topic.significant_figures is not None
        for other in self.books.values() if coarse else self.layers.lanes.values():
            if other.book.scale != self._scale:
                other.regrid(self._scale, at)

    # -- counts
    def _book_counts(self) -> Counter[str]:
        total = Counter(self._retired)
        for book in self._books():
            total.update(book.counters)
        return total

    def _resyncs(self) -> dict[str, int]:
        total = Counter(self._retired_resyncs)
        for book in self._books():
            total.update(book.resyncs)
        return dict(total)

    def _books(self) -> Iterable[LiveBook]:
        """Every book that still counts: of a hand-over both, so that no counter falls back."""
        for lane in self.books.values():
            yield lane.book
        if self._resting is not None:
            yield self._resting.book


def _units(instrument: Instrument) -> tuple[object, ...]:
    """What decides how a frame's numbers are read and what they are worth."""
    return (
        instrument.tick_size,
        instrument.lot_size,
        instrument.contract_type,
        instrument.contract_size,
        instrument.unit_multiplier,
    )
