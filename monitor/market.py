"""One market: its book across connections, its trades, liquidations, mark price, funding and open interest, and its view."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final, Literal

from engines.book.bands import BandSet
from engines.book.depth import Depth
from engines.book.live_book import LiveBook
from engines.book.worth import imbalance
from engines.depth.resilience import withdrawal_share
from monitor.book_lane import BookLane
from monitor.facts import (
    Candles,
    Channel,
    Coverage,
    Fact,
    Funding,
    IndexPrice,
    Instrument,
    InstrumentChanged,
    Liquidation,
    LongShortRatio,
    MarginTiers,
    MarkPrice,
    OpenInterest,
)
from monitor.figures import Figures
from monitor.fx import Pair
from monitor.links import Link
from monitor.liquidation.reading import BookCurves
from monitor.market_lanes import MarketLanes, MarketOptions
from monitor.money import notional_usd, price_per_coin, size_of
from monitor.polls import Polls
from monitor.prints import Prints
from monitor.tiers import from_venue, known_tiers
from monitor.venues.base import Poll, Venue
from monitor.views import DepthFigure, MarketView, Side

__all__ = ["Market", "MarketOptions"]

HEADLINE_BAND: Final = "1%"
WITHDRAWAL_SECONDS: Final = 60  # the share of bids cancelled rather than sold into is of the last minute
Order = Literal["sell", "buy"]
ORDERS: Final[tuple[Order, Order]] = ("sell", "buy")


class Market(MarketLanes):
    """Mutable; the hub alone writes it."""

    def __init__(self, venue: Venue, instrument: Instrument, options: MarketOptions) -> None:
        super().__init__(venue, instrument, options)
        self.prints = Prints()
        self.figures = Figures(instrument)
        self.polls = Polls(self._asked())
        self.candles: Candles | None = None  # the last days by the hour; None: not known (yet)
        self._candles_until: int | None = None
        self.curves = BookCurves()
        self._bands = BandSet(options.bands)
        self._removed: deque[tuple[float, float]] = deque(maxlen=WITHDRAWAL_SECONDS)  # (cancelled, executed) a second
        self._tiers = known_tiers(venue, instrument, options.tiers)
        self._status = "" if instrument.trading else instrument.status or "not trading"

    def relist(self, instrument: Instrument, at: int) -> None:
        """The listing was read again."""
        self._status = "" if instrument.trading else instrument.status or "not trading"
        self.figures.relist(instrument)
        if not from_venue(self._tiers):
            self._tiers = known_tiers(self.venue, instrument, self._options.tiers)
        super().relist(instrument, at)
        self.polls.change(self._asked())

    def _asked(self) -> list[Poll]:
        """What has no stream, with a key also what the venue tells to nobody else."""
        signed = self.venue.signed_polls(self.instrument) if self.venue.name in self._options.keyed else []
        return [*self.venue.polls(self.instrument), *signed]

    @property
    def _coverage(self) -> Coverage:
        """On a spot market there is nothing to liquidate, whatever the venue tells of its contracts."""
        return "none" if self.instrument.contract_type == "spot" else self.venue.liquidation_coverage

    # -- facts
    def take(self, fact: Fact, at: int, until: int | None = None) -> None:
        """A fact about this market other than a liquidation. `until`: of one that was asked for, how long it stands."""
        match fact:
            case MarkPrice() | IndexPrice() | Funding() | OpenInterest() | LongShortRatio():
                self.figures.take(fact, until)
            case Candles():
                self.candles, self._candles_until = fact, until
            case MarginTiers():
                if from_venue(fact) or not from_venue(self._tiers):
                    self._tiers = fact
            case InstrumentChanged():
                if fact.trading is not None:
                    self._status = "" if fact.trading else fact.status or "not trading"
            case _:
                pass

    def candles_at(self, at: int) -> Candles | None:
        """As long as they stand."""
        return self.candles if self._candles_until is None or at <= self._candles_until else None

    def liquidated(self, fact: Liquidation, at: int, connection: int, fx: float | None, offset: int) -> float | None:
        """Count a forced closing once; its notional in USD, NaN when the rate is unknown, None when it is no news (`Prints.is_news`)."""
        if not self.prints.is_news(fact, at, connection, offset):
            return None
        priced = self.at_mark(fact)
        unpriced = fact.price_kind == "mark" and priced is fact
        usd = None if fx is None or unpriced else notional_usd(self.instrument, priced.quantity, priced.price, fx)
        self.prints.add(fact, usd, size_of(self.instrument, priced.quantity))
        return math.nan if usd is None else usd

    def at_mark(self, fact: Liquidation) -> Liquidation:
        """A print whose price the venue did not tell, at the mark price; as it is where that is not known either."""
        mark = self.figures.mark_as_told if fact.price_kind == "mark" else None
        return fact if mark is None else replace(fact, price=mark)

    # -- who removed the bids
    def look(self, lane: BookLane, at: int) -> None:
        """Compare the bids with the last look, every `meter.next_look`."""
        if lane.readable:
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
    def view(
        self, at: int, fx: float | None, link: Link | None, halted: str, links: Iterable[Link] = (), stopped: str = ""
    ) -> MarketView:
        """The market as it stands. `link` carries the book that is read; `links`: every open connection of the venue.

        halted: why we may not ask the venue. stopped: why the venue matches no orders. Both are empty in good times.
        """
        self.figures.forget_old(at)
        book = self.book
        reason = self._unverified(link, halted, stopped, at)
        readable = book is not None and not reason
        instrument = self.instrument
        bid = ask = mid = None
        depth: tuple[DepthFigure, ...] = ()
        slippage: dict[tuple[Order, int], float] = {}
        reach: dict[Side, float | None] = {"bid": None, "ask": None}
        snapshot_reach: dict[Side, float | None] = {}
        top = book.top() if book is not None and readable else None
        if book is not None and top is not None:
            bid = price_per_coin(instrument, book.worth.price(top.bid_tick))
            ask = price_per_coin(instrument, book.worth.price(top.ask_tick))
            mid = (bid + ask) / 2
            reach = {"bid": book.reach("bid"), "ask": book.reach("ask")}
            snapshot_reach = {"bid": book.deep_reach("bid", at), "ask": book.deep_reach("ask", at)}
            if fx is not None:
                depth = _figures(book.depth(self._bands, at, fx))
                slippage = self._slippage(book, fx)
        headline = {f.side: f.usd for f in depth if f.band == HEADLINE_BAND}
        figures = self.figures
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
            liquidation_coverage=self._coverage,
            open_interest_usd=figures.open_interest_usd(mid, fx),
            mark_price=figures.mark,
            index_price=figures.index,
            funding_rate_8h_ratio=figures.funding_8h(),
            funding_interval_seconds=figures.funding_interval,
            counters=self._counters(fx is not None),
            resyncs=self._resyncs(),
            silent=self._silent(links),
            liquidations_heard=not halted and any(link.hears_liquidations(instrument.symbol) for link in links),
            snapshot_reach_ratio=snapshot_reach,
            cadence_seconds=self.books[link.index].topic.cadence_seconds if link and link.index in self.books else None,
            margin_tiers=self._tiers,
            contract_size=float(instrument.contract_size),
            unit_multiplier=instrument.unit_multiplier,
            closings=self.prints.closings(),
            layers=self.layers.views(at) if self.layers.lanes else (),
        )

    def _unverified(self, link: Link | None, halted: str, stopped: str, at: int) -> str:
        """Why the book that is read is not verified; "" when it is."""
        if halted:
            return f"venue halted: {halted}"
        if stopped:
            return f"halted: {stopped}"
        lane = self.books.get(link.index) if link is not None else None
        if link is None or lane is None:
            return "not connected"
        if reason := lane.unreadable(at):
            return reason
        if link.lag.behind:
            return "behind"
        if link.session.is_silent(lane.topic.key):
            return "silent"
        return self._status

    def pair(self, link: Link | None, halted: str, at: int, stopped: str = "") -> Pair | None:
        """What the market says its coin is worth in its quote currency; None while its book is not verified."""
        book = self.book
        top = book.top() if book is not None and not self._unverified(link, halted, stopped, at) else None
        if book is None or top is None or book.last_update is None:
            return None
        instrument = self.instrument
        bid, ask = book.worth.price(top.bid_tick), book.worth.price(top.ask_tick)
        mid = (bid + ask) / 2
        return Pair(
            currency=instrument.asset,
            venue=instrument.venue,
            market=instrument.symbol,
            mid=price_per_coin(instrument, mid),
            spread=(ask - bid) / mid,
            at=book.last_update,
        )

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

    def _silent(self, links: Iterable[Link]) -> Mapping[str, bool]:
        """By channel: whether one of its topics is silent on every connection that carries it."""
        topics: dict[tuple[str, int | None], tuple[Channel, bool]] = {}
        for link in links:
            for topic in link.topics_of(self.instrument.symbol):
                silent = link.session.is_silent(topic.key)
                stream = topic.key, topic.significant_figures  # a coarse one may have the name of the book
                known = topics.get(stream)
                topics[stream] = (topic.channel, silent and (known is None or known[1]))
        found: dict[str, bool] = {}
        for channel, silent in topics.values():
            found[channel.value] = silent or found.get(channel.value, False)
        return found

    def _counters(self, priced: bool) -> dict[str, float]:
        """`priced`: the quote has a rate; without one nothing is known in dollars, not even zero."""
        book_counts = self._book_counts()
        counters: dict[str, float] = {
            "book_updates_total": book_counts["updates"],
            "book_gaps_total": book_counts["gaps"],
            "book_crossed_total": book_counts["crossed"],
        }
        for side in ("buy", "sell"):
            counters[f"trades_total|{side}"] = self.tally.count[side]
            if priced:
                counters[f"trade_volume_usd_total|{side}"] = self.tally.volume_usd[side]
        if self._coverage != "none":
            for position in ("long", "short"):
                counters[f"liquidations_total|{position}"] = self.prints.count[position]
                if priced:
                    counters[f"liquidated_usd_total|{position}"] = self.prints.usd[position]
        return counters


def _figures(depth: Depth | None) -> tuple[DepthFigure, ...]:
    """The read model's form; nothing where the book cannot be read."""
    if depth is None:
        return ()
    return tuple([DepthFigure(*row) for row in depth])
