"""One market: its book across connections, its trades, liquidations, mark price, funding and open interest, and its view."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from engines.book.bands import BandSet
from engines.book.depth import Depth
from engines.book.hot import Scratch
from engines.book.live_book import LiveBook
from engines.book.withdrawal import WithdrawalMeter
from engines.book.worth import imbalance
from engines.depth.resilience import withdrawal_share
from engines.wire.scale import Scale
from monitor.book_lane import BookLane, worth_of
from monitor.clock import SECOND
from monitor.facts import (
    Channel,
    Fact,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    MarkPrice,
    OpenInterest,
)
from monitor.links import Link
from monitor.money import notional_usd, price_per_coin
from monitor.trade_lane import TradeLane, TradeTally
from monitor.venues.base import RestRequest, Topic, Venue
from monitor.views import DepthFigure, MarketView, Side

EIGHT_HOURS: Final = 28_800
HEADLINE_BAND: Final = "1%"
WITHDRAWAL_SECONDS: Final = 60  # the share of bids cancelled rather than sold into is of the last minute
Order = Literal["sell", "buy"]
ORDERS: Final[tuple[Order, Order]] = ("sell", "buy")
# A liquidation older than this when it arrives is a venue's replay of the past after a subscription, not news.
LIQUIDATION_MAX_AGE: Final = 60 * SECOND
FACTS_KEPT: Final = (
    60 * SECOND
)  # mark price and funding of a ticker that says nothing any more; the slowest speaks every 10 s
POLLED_KEPT: Final = 300 * SECOND  # a figure asked for over REST, which waits while the budget is spent on snapshots
SEEN_LIQUIDATIONS: Final = 1_024  # remembered to tell a second connection's copy; a minute of a heavy cascade

# One frame is read at a time, so all books share the place a scanned frame lies in: it stays in the processor's cache.
SCRATCH: Final = Scratch()


@dataclass(frozen=True, slots=True)
class MarketOptions:
    """What every market of a process shares."""

    bands: tuple[str, ...]
    slippage_usd: tuple[int, ...]
    floor_settle: int  # ns


class Market:
    """Mutable; the hub alone writes it."""

    def __init__(self, venue: Venue, instrument: Instrument, options: MarketOptions) -> None:
        self.venue = venue
        self.instrument = instrument
        self.books: dict[int, BookLane] = {}
        self.active: int | None = None
        self._options = options
        self._bands = BandSet(options.bands)
        self._scale = instrument.scale
        self._resting: BookLane | None = None  # of a lost connection; the next one takes its book over
        self.trades: dict[int, TradeLane] = {}
        self.tally = TradeTally()
        self.meter = self.tally.meter = WithdrawalMeter()
        self._removed: deque[tuple[float, float]] = deque(maxlen=WITHDRAWAL_SECONDS)  # (cancelled, executed) a second
        self._liquidations = Counter[str]()
        self._liquidated_usd = {"long": 0.0, "short": 0.0}
        self._seen: OrderedDict[tuple[int, str, Decimal, Decimal], int] = OrderedDict()
        self._mark: float | None = None
        self._index: float | None = None
        self._funding: Decimal | None = None
        self._funding_interval = instrument.funding_interval_seconds
        self._open_interest: OpenInterest | None = None
        self._status = "" if instrument.trading else instrument.status or "not trading"
        self._poll_due: dict[str, int] = {}
        self._polls = bool(venue.polls(instrument))
        self._ticker_at: int | None = None  # a ticker says only what changed: any frame of it confirms the rest
        self._interest_at: int | None = None
        self._retired: Counter[str] = Counter()  # counts of books that are gone
        self._retired_resyncs: Counter[str] = Counter()
        self.dropped_liquidations = 0

    # -- connections
    def open_book(self, connection: int, topic: Topic, at: int) -> BookLane:
        """The lane of a book topic on a connection that opened. While another carries the market, it runs beside it."""
        if topic.book is None:
            raise ValueError(f"topic {topic.key} carries no book")
        book = None
        if self.active is None and self._resting is not None:
            if self._resting.topic == topic:
                book = self._resting.book
            else:  # a recording may go on with another stream of the same market
                self._retire(self._resting.book)
            self._resting = None
        lane = self.books[connection] = BookLane(self.venue, self.instrument, topic, book or self._new_book(topic))
        lane.on_regrid = self._regridded
        if self.active is None:
            self.active = connection
        return lane

    def _new_book(self, topic: Topic) -> LiveBook:
        assert topic.book is not None
        policy = self.venue.book
        return LiveBook(
            scale=self._scale,
            market=self.instrument.symbol,
            grammar=topic.book,
            rule=policy.sequence,
            changes_at_any_price=policy.changes_at_any_price,
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
            self.books[self.active].book.adopt(lane.book, at)
            lane.book.disconnected(at)
            self._retire(lane.book)

    def promote(self, connection: int, at: int) -> None:
        """`connection` carries the market from now on; what the older book knows beyond the new one is carried over."""
        old = self.books.get(self.active) if self.active is not None else None
        new = self.books[connection]
        if old is not None and old is not new:
            new.book.adopt(old.book, at)
            self.meter.lose()
        self.active = connection

    def ready(self, connection: int) -> bool:
        """Whether the book on `connection` can be read."""
        lane = self.books.get(connection)
        return lane is not None and lane.book.readable

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
        self._status = "" if instrument.trading else instrument.status or "not trading"
        if instrument.funding_interval_seconds is not None:
            self._funding_interval = instrument.funding_interval_seconds
        if _units(instrument) == _units(before):
            return
        self._scale = instrument.scale
        self.meter.lose()
        for lane in self.books.values():
            lane.relist(instrument, at)
        for trades in self.trades.values():
            trades.regrid(instrument, self._scale)
        if self._resting is not None:
            self._retire(self._resting.book)
            self._resting = None

    def _regridded(self, scale: Scale) -> None:
        """The frames of a book showed another grid than the listed one: trades come on it too."""
        self._scale = scale
        self.meter.lose()
        for trades in self.trades.values():
            trades.regrid(self.instrument, scale)

    # -- REST
    def due_polls(self, at: int) -> list[RestRequest]:
        """Figures without a stream that are due now."""
        due = []
        for poll in self.venue.polls(self.instrument):
            if at >= self._poll_due.get(poll.request.key, 0):
                self._poll_due[poll.request.key] = at + round(poll.interval_seconds * SECOND)
                due.append(poll.request)
        return due

    # -- facts
    def ticker_heard(self, at: int) -> None:
        """A frame of one of the market's ticker topics came."""
        self._ticker_at = at

    def _forget_old_facts(self, at: int) -> None:
        """What nobody confirms any more is unknown, not as it was."""
        if self._ticker_at is not None and at - self._ticker_at > FACTS_KEPT:
            self._mark = self._index = self._funding = self._ticker_at = None
            if not self._polls:
                self._open_interest = None
        if self._polls and self._interest_at is not None and at - self._interest_at > POLLED_KEPT:
            self._open_interest = self._interest_at = None

    def take(self, fact: Fact, at: int) -> None:
        """A fact about this market other than a liquidation."""
        match fact:
            case MarkPrice():
                self._mark = price_per_coin(self.instrument, float(fact.price))
            case IndexPrice():
                self._index = price_per_coin(self.instrument, float(fact.price))
            case Funding():
                self._funding = fact.rate
                if fact.interval_seconds is not None:
                    self._funding_interval = fact.interval_seconds
            case OpenInterest():
                self._open_interest = fact
                self._interest_at = at
            case InstrumentChanged():
                if fact.trading is not None:
                    self._status = "" if fact.trading else fact.status or "not trading"
            case _:
                pass

    def liquidated(self, fact: Liquidation, at: int, connection: int, fx: float | None, offset: int) -> float | None:
        """Count a liquidation once; its notional in USD, NaN when the rate is unknown, None when it is no news.

        `connection`: tells one socket's life from another's: slots are used again, and a venue may begin a
        subscription with what it sent last. `offset`: the venue's clock offset (ns), so that a skewed clock does not make a print look old.
        """
        if at - fact.venue_time - offset > LIQUIDATION_MAX_AGE:
            self.dropped_liquidations += 1
            return None
        key = (fact.venue_time, fact.position, fact.quantity, fact.price)
        first = self._seen.setdefault(key, connection)
        if first != connection:  # the other connection's copy; two equal prints on one connection are two
            self.dropped_liquidations += 1
            return None
        if len(self._seen) > SEEN_LIQUIDATIONS:
            self._seen.popitem(last=False)
        self._liquidations[fact.position] += 1
        if fx is None:
            return math.nan
        usd = notional_usd(self.instrument, fact.quantity, fact.price, fx)
        self._liquidated_usd[fact.position] += usd
        return usd

    # -- who removed the bids
    def look(self, lane: BookLane, at: int) -> None:
        """Compare the bids with the last look, every `meter.next_look`."""
        if lane.book.readable:
            self.meter.look(lane.book.block, at)
        else:
            self.meter.lose()

    def end_second(self) -> None:
        """Close the second's sums of cancelled and executed bids."""
        _, cancelled, executed = self.meter.take()
        self._removed.append((cancelled, executed))

    def _withdrawal_share(self) -> float | None:
        share = withdrawal_share(
            math.fsum(cancelled for cancelled, _ in self._removed), math.fsum(executed for _, executed in self._removed)
        )
        return None if math.isnan(share) else share

    # -- the view
    def view(self, at: int, fx: float | None, link: Link | None, halted: str, links: Iterable[Link] = ()) -> MarketView:
        """The market as it stands. `link` carries the book that is read; `links`: every open connection of the venue."""
        self._forget_old_facts(at)
        book = self.book
        reason = self._unverified(book, link, halted)
        readable = book is not None and not reason
        instrument = self.instrument
        bid = ask = mid = None
        depth: tuple[DepthFigure, ...] = ()
        slippage: dict[tuple[Order, int], float] = {}
        reach: dict[Side, float | None] = {"bid": None, "ask": None}
        top = book.top() if book is not None and readable else None
        if book is not None and top is not None:
            bid = price_per_coin(instrument, book.worth.price(top.bid_tick))
            ask = price_per_coin(instrument, book.worth.price(top.ask_tick))
            mid = (bid + ask) / 2
            reach = {"bid": book.reach("bid"), "ask": book.reach("ask")}
            if fx is not None:
                depth = _figures(book.depth(self._bands, at, fx))
                slippage = self._slippage(book, fx)
        headline = {f.side: f.usd for f in depth if f.band == HEADLINE_BAND}
        return MarketView(
            venue=instrument.venue,
            market=instrument.symbol,
            asset=instrument.asset,
            quote=instrument.quote,
            contract_type=instrument.contract_type,
            verified=readable,
            reason=reason,
            at=at,
            last_update=book.last_update if book is not None else None,
            mid_price=mid,
            spread_ratio=(ask - bid) / mid if bid is not None and ask is not None and mid else None,
            best_bid=bid,
            best_ask=ask,
            reach_ratio=reach,
            depth=depth,
            slippage_ratio=slippage,
            imbalance_1pct=imbalance(headline["bid"], headline["ask"]) if len(headline) == 2 else None,
            withdrawal_share=self._withdrawal_share() if readable else None,
            liquidation_coverage=self.venue.liquidation_coverage,
            open_interest_usd=self._open_interest_usd(mid, fx),
            mark_price=self._mark,
            index_price=self._index,
            funding_rate_8h_ratio=self._funding_8h(),
            funding_interval_seconds=self._funding_interval,
            counters=self._counters(fx is not None),
            resyncs=self._resyncs(),
            silent=self._silent(links),
            liquidations_heard=not halted and any(link.hears_liquidations(instrument.symbol) for link in links),
        )

    def _unverified(self, book: LiveBook | None, link: Link | None, halted: str) -> str:
        if halted:
            return f"venue halted: {halted}"
        if link is None or book is None:
            return "not connected"
        if not book.readable:
            return book.reason.replace("_", " ")
        if link.lag.behind:
            return "behind"
        lane = self.books[link.index]
        if link.session.is_silent(lane.topic.key):
            return "silent"
        return self._status

    def depth_around(self, price: float, at: int, fx: float) -> tuple[DepthFigure, ...]:
        """Depth within the bands around a common price in quote currency per coin (models.md 1.2 ref_price)."""
        book = self.book
        if book is None or not book.readable:
            return ()
        ticks = price * self.instrument.unit_multiplier / book.worth.tick_unit
        return _figures(book.depth(self._bands, at, fx, around=ticks))

    def _slippage(self, book: LiveBook, fx: float) -> dict[tuple[Order, int], float]:
        found: dict[tuple[Order, int], float] = {}
        sizes = self._options.slippage_usd
        for order in ORDERS:
            for usd, cost in zip(sizes, book.slippage(order, [usd / fx for usd in sizes]), strict=True):
                if not math.isnan(cost):
                    found[order, usd] = cost
        return found

    def _open_interest_usd(self, mid: float | None, fx: float | None) -> float | None:
        interest = self._open_interest
        if interest is None or fx is None:
            return None
        if interest.value_quote is not None:
            return float(interest.value_quote) * fx
        price = self._mark if self._mark is not None else mid
        if interest.quantity is None or price is None:
            return None
        per_unit = Decimal(repr(price * self.instrument.unit_multiplier))
        return notional_usd(self.instrument, interest.quantity, per_unit, fx)

    def _funding_8h(self) -> float | None:
        if self._funding is None or not self._funding_interval:
            return None
        return float(self._funding) * EIGHT_HOURS / self._funding_interval

    def _silent(self, links: Iterable[Link]) -> Mapping[str, bool]:
        """By channel: whether one of its topics is silent on every connection that carries it."""
        topics: dict[str, tuple[Channel, bool]] = {}
        for link in links:
            for topic in link.topics_of(self.instrument.symbol):
                silent = link.session.is_silent(topic.key)
                known = topics.get(topic.key)
                topics[topic.key] = (topic.channel, silent and (known is None or known[1]))
        found: dict[str, bool] = {}
        for channel, silent in topics.values():
            found[channel.value] = silent or found.get(channel.value, False)
        return found

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

    def _counters(self, priced: bool) -> dict[str, float]:
        """`priced`: the quote has a rate; without one nothing is known in dollars, not even zero."""
        book_counts = Counter(self._retired)
        for book in self._books():
            book_counts.update(book.counters)
        counters: dict[str, float] = {
            "book_updates_total": book_counts["updates"],
            "book_gaps_total": book_counts["gaps"],
            "book_crossed_total": book_counts["crossed"],
        }
        for side in ("buy", "sell"):
            counters[f"trades_total|{side}"] = self.tally.count[side]
            if priced:
                counters[f"trade_volume_usd_total|{side}"] = self.tally.volume_usd[side]
        if self.venue.liquidation_coverage != "none":
            for position in ("long", "short"):
                counters[f"liquidations_total|{position}"] = self._liquidations[position]
                if priced:
                    counters[f"liquidated_usd_total|{position}"] = self._liquidated_usd[position]
        return counters


def _units(instrument: Instrument) -> tuple[object, ...]:
    """What decides how a frame's numbers are read and what they are worth."""
    return (
        instrument.tick_size,
        instrument.lot_size,
        instrument.contract_type,
        instrument.contract_size,
        instrument.unit_multiplier,
    )


def _figures(depth: Depth | None) -> tuple[DepthFigure, ...]:
    """The read model's form; nothing where the book cannot be read."""
    if depth is None:
        return ()
    return tuple([DepthFigure(*row) for row in depth])
