"""The hub: recorded events in; state, commands and alerts out. No I/O, no clock.

A live run and a replay are the same calls. Timers run on whole seconds of event time: before any event at `at`, and on every
tick, the hub catches up to `at`, so a recording replays to the same bytes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import LiquidationPayload, rfc3339
from monitor.alerts.rules.base import LiquidationContext
from monitor.asset import Asset
from monitor.baselines import Baselines
from monitor.book_lane import BookLane
from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import (
    CloseConnection,
    Command,
    Connected,
    Disconnected,
    Event,
    Fetch,
    FrameReceived,
    InstrumentsListed,
    RestReplied,
    VenueHalted,
)
from monitor.facts import Channel, Fact, Liquidation, VenueNotice
from monitor.feed.reasons import Reason
from monitor.fx import FxRates
from monitor.links import Handler, Link
from monitor.market import Market, MarketOptions
from monitor.money import coins, price_per_coin
from monitor.venue_state import VenueState
from monitor.venues.base import Topic, Venue
from monitor.venues.registry import VENUES
from monitor.views import DepthFigure, MarketView, Regime, ServiceView, VenueView

# After a longer hole (a recording with a pause) the seconds in between are not run one by one: holds and expiries look at
# times, not at counts, and nothing else happens in them.
MAX_CATCH_UP: Final = 900 * SECOND
NOTHING: Final[tuple[Command, ...]] = ()
# Frames that change nothing the rest of a second reads.
PASSING: Final = frozenset((Channel.BOOK, Channel.TRADES, Channel.TICKER, Channel.OTHER))
ASSETS_A_PIECE: Final = 8
# Of one asset: "venue:market" -> mid in USD, and depth around their median.
Around = tuple[dict[str, float], dict[str, tuple[DepthFigure, ...]]]


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Settings the hub needs, as plain values."""

    market: MarketOptions
    baseline_warmup_seconds: float = 600.0
    lag_bound: Mapping[str, int] = field(default_factory=dict)  # venue -> ns
    fx_fixed: Mapping[str, float] = field(default_factory=dict)


CLOSE_SPACING: Final = 10 * SECOND  # a close that is not carried out is asked for again this much later
DEFAULT_LAG_BOUND: Final = 5 * SECOND


class Outlet(Protocol):
    """Where the hub's results go. Calls must not block."""

    def transitions(self, transitions: Sequence[Transition]) -> None:
        """Alerts that opened, changed or closed, in order."""

    def liquidation(self, payload: LiquidationPayload) -> None:
        """One liquidation print of a configured market."""

    def second(self, view: ServiceView) -> None:
        """The read model, at the end of every second of event time."""


class Hub:
    """All state of a process. Called from one thread, one call at a time."""

    def __init__(
        self, options: HubOptions, alerts: AlertEngine, outlet: Outlet, venues: Mapping[str, Venue] = VENUES
    ) -> None:
        self._options = options
        self._venues = venues
        self._alerts = alerts
        self._outlet = outlet
        self.baselines = Baselines(options.baseline_warmup_seconds)
        self.fx = FxRates(options.fx_fixed)
        self.states: dict[str, VenueState] = {}
        self.markets: dict[tuple[str, str], Market] = {}
        self.assets: dict[str, Asset] = {}
        self.view = ServiceView(at=0)
        self.regimes_before: dict[str, tuple[Regime, int]] = {}  # of the run before this one
        self.last_channel = Channel.OTHER  # of the frame taken last
        self.last_lag: int | None = None  # ns, of the frame taken last
        self._opened = 0  # connections so far
        self._commands: list[Command] = []
        self._next_second: int = 0
        # None: a second is dealt with at once. Set: called when the rest of one waits for `conclude`, so that a service can
        # let frames pass between its pieces.
        self.on_rest: Callable[[], object] | None = None
        self._rest: Iterator[bool] | None = None

    # -- the feed's side
    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        """The hot path: one frame, in the step in which it came off the socket."""
        if at >= self._next_second:
            self._catch_up(at)
        state = self.states.get(venue)
        link = state.links.get(connection) if state is not None else None
        self.last_lag = None
        if link is None:  # a frame after its Disconnected: the socket was already given up
            self.last_channel = Channel.OTHER
            return self._take()
        topic = link.session.route(data, at)
        if topic is None:
            self.last_channel = Channel.OTHER
            self._commands.extend(link.session.drain(at))
            return self._take()
        self.last_channel = topic.channel
        if self._rest is not None and topic.channel not in PASSING:
            self.conclude()
        handler = link.handlers.get(topic.key)
        if handler is not None:
            try:
                venue_time = handler(data, at)
            except FrameError:
                link.session.parse_error(topic)
                return self._take()
            if venue_time:
                self.last_lag = link.lag.observe(at, venue_time)
        return self._take() if self._commands else NOTHING

    def on_event(self, event: Event) -> Sequence[Command]:
        """Everything that is recorded, in order."""
        if isinstance(event, FrameReceived):
            return self.on_frame(event.venue, event.connection, event.data, event.at)
        if event.at >= self._next_second:
            self._catch_up(event.at)
        if self._rest is not None:
            self.conclude()
        match event:
            case InstrumentsListed():
                self._listed(event)
            case Connected():
                self._connected(event)
            case Disconnected():
                self._disconnected(event)
            case RestReplied():
                self._replied(event)
            case VenueHalted():
                state = self._state(event.venue)
                state.halted, state.halted_until = event.reason, event.until
        return self._take()

    def on_tick(self, at: int) -> Sequence[Command]:
        """Time alone: at least once a second."""
        if at >= self._next_second:
            self._catch_up(at)
        return self._take()

    def _take(self) -> Sequence[Command]:
        if not self._commands:
            return NOTHING
        taken, self._commands = self._commands, []
        return taken

    def _state(self, venue: str) -> VenueState:
        state = self.states.get(venue)
        if state is None:
            state = self.states[venue] = VenueState(self._venues[venue])
        return state

    # -- markets come and go
    def _listed(self, event: InstrumentsListed) -> None:
        state = self._state(event.venue)
        state.refused = event.refused
        listed = {instrument.symbol: instrument for instrument in event.instruments}
        for key in [k for k in self.markets if k[0] == event.venue and k[1] not in listed]:
            del self.markets[key]
            for link in state.links.values():
                for topic in link.topics_of(key[1]):
                    link.handlers.pop(topic.key, None)
        for symbol, instrument in listed.items():
            market = self.markets.get((event.venue, symbol))
            if market is None:
                self.markets[event.venue, symbol] = Market(state.venue, instrument, self._options.market)
                for link in state.links.values():
                    self._handle(link, link.topics_of(symbol), event.at)
            else:
                market.relist(instrument, event.at)
            if instrument.asset not in self.assets:
                asset = Asset(instrument.asset, self._options.market.bands, self.baselines)
                if (before := self.regimes_before.pop(instrument.asset, None)) is not None:
                    asset.regime.restore(*before)
                self.assets[instrument.asset] = asset
        alive = {market.instrument.asset for market in self.markets.values()}
        for gone in [name for name in self.assets if name not in alive]:
            del self.assets[gone]

    # -- connections
    def _connected(self, event: Connected) -> None:
        state = self._state(event.venue)
        if event.connection in state.links:  # its end was not recorded
            self._disconnected(Disconnected(event.at, event.venue, event.connection, Reason.CONNECTION_LOST))
        bound = self._options.lag_bound.get(event.venue, DEFAULT_LAG_BOUND)
        link = Link(event, state.venue, state.offset, bound)
        self._opened += 1
        link.serial = self._opened
        state.opened(link)
        self._handle(link, event.plan.topics, event.at)
        self._commands.extend(link.session.drain(event.at))

    def _handle(self, link: Link, topics: Sequence[Topic], at: int) -> None:
        """Give each topic's frames to whom they concern."""
        for topic in topics:
            handler = self._handler(link, topic, at)
            if handler is not None:
                link.handlers[topic.key] = handler

    def _handler(self, link: Link, topic: Topic, at: int) -> Handler | None:
        if topic.channel is Channel.OTHER:
            return None
        market = self.markets.get((link.venue.name, topic.symbols[0])) if len(topic.symbols) == 1 else None
        if topic.channel is Channel.BOOK:
            # A capture may hold two streams of one market's book, or of its trades: the first one is read.
            return self._book_handler(link, market, topic, at) if market and link.index not in market.books else None
        if topic.channel is Channel.TRADES:
            return self._trade_handler(link, market, topic) if market and link.index not in market.trades else None
        return lambda data, received: self._cold(link, topic, data, received)

    def _book_handler(self, link: Link, market: Market, topic: Topic, at: int) -> Handler:
        lane = market.open_book(link.index, topic, at)
        lane.fallbacks = link.fallbacks

        def handle(data: bytes, received: int) -> int:
            try:
                venue_time = lane.frame(data, received)
            finally:  # also for a frame that nobody can read: it took the book with it
                if lane.recovery.need:
                    self._recover(link, lane, received)
            if received >= market.meter.next_look and market.active == link.index:
                market.look(lane, received)
            return venue_time

        return handle

    def _trade_handler(self, link: Link, market: Market, topic: Topic) -> Handler:
        lane = market.open_trades(link.index, topic)
        lane.fallbacks = link.fallbacks
        return lambda data, _: lane.frame(data, self.fx.rate(market.instrument.quote))

    def _disconnected(self, event: Disconnected) -> None:
        state = self._state(event.venue)
        link = state.closed(event.connection, event.reason)
        if link is None:
            return
        for market in self.markets.values():
            if market.instrument.venue == event.venue:
                market.close(link.index, event.at)

    # -- recovery and polls
    def _recover(self, link: Link, lane: BookLane, at: int) -> None:
        """Ask for what the lane's book needs, once."""
        lane.settle()
        if not lane.recovery.due(at):
            return
        lane.recovery.asked(at)
        if lane.recovery.need == "resubscribe":
            link.session.resubscribe(lane.topic, at)
            self._commands.extend(link.session.drain(at))
        else:
            request = lane.seed_request(at)
            if request is not None:
                self._commands.append(Fetch(link.venue.name, request))

    def _replied(self, event: RestReplied) -> None:
        state = self._state(event.venue)
        request = event.request
        market = self.markets.get((event.venue, request.symbol or ""))
        if request.purpose in {"snapshot", "deep"}:
            if market is not None:
                for index, lane in market.books.items():
                    errors = lane.body_errors
                    lane.replied(event)
                    if (link := state.links.get(index)) is None:
                        continue
                    if lane.body_errors > errors:
                        link.session.parse_error(lane.topic)
                    if lane.recovery.need:
                        self._recover(link, lane, event.at)
            return
        if request.purpose != "poll":
            return
        if event.error:
            state.poll_errors[request.key] += 1
            return
        try:
            facts = state.venue.parse_poll(request, event.body)
        except FrameError:
            state.poll_errors[request.key] += 1
            return
        for fact in facts:
            self._fact(state, fact, event.at, None)

    # -- cold channels
    def _cold(self, link: Link, topic: Topic, data: bytes, at: int) -> int:
        state = self.states[link.venue.name]
        venue_time = 0
        if topic.channel is Channel.TICKER and len(topic.symbols) == 1:
            market = self.markets.get((state.venue.name, topic.symbols[0]))
            if market is not None:
                market.ticker_heard(at)
        for fact in link.venue.parse(topic, data):
            self._fact(state, fact, at, link)
            venue_time = max(venue_time, fact.venue_time)
        # An old liquidation or a funding stamp says nothing about how late this frame is; a ticker's time does.
        return venue_time if topic.channel is Channel.TICKER and topic.silence_seconds is not None else 0

    def _fact(self, state: VenueState, fact: Fact, at: int, link: Link | None) -> None:
        if isinstance(fact, VenueNotice):
            state.notice(fact)
            return
        market = self.markets.get((state.venue.name, fact.symbol))
        if market is None:
            return
        if isinstance(fact, Liquidation):
            self._liquidated(market, fact, at, link, state)
        else:
            market.take(fact, at)

    def _liquidated(self, market: Market, fact: Liquidation, at: int, link: Link | None, state: VenueState) -> None:
        fx = self.fx.rate(market.instrument.quote)
        offset = state.offset.value or 0
        counted = market.liquidated(fact, at, link.serial if link else 0, fx, offset)
        if counted is None:
            return  # seen before, or a replay of the past
        if fact.coverage == "none":
            raise ValueError(f"{state.venue.name} says it publishes no liquidations, and sent one")
        usd = None if math.isnan(counted) else counted
        instrument = market.instrument
        asset = self.assets[instrument.asset]
        asset.liquidated(at, fact.position, usd)
        self._outlet.liquidation(
            LiquidationPayload(
                schema="undertow.liquidation.v1",
                venue=instrument.venue,
                market=instrument.symbol,
                asset=instrument.asset,
                position=fact.position,
                quantity_base=coins(instrument, fact.quantity, fact.price),
                price=price_per_coin(instrument, float(fact.price)),
                price_kind=fact.price_kind,
                notional_usd=usd,
                coverage=fact.coverage,
                venue_time=rfc3339(fact.venue_time),
                received_at=rfc3339(at),
            )
        )
        context = LiquidationContext(instrument.venue, instrument.symbol, fact.coverage, asset.view_now(at), at)
        self._raise(self._alerts.on_liquidation(instrument.asset, fact.position, usd, at, context))

    def _raise(self, transitions: Sequence[Transition]) -> None:
        if transitions:
            self._outlet.transitions(transitions)

    # -- time
    def _catch_up(self, at: int) -> None:
        """Run every whole second up to and including `at`."""
        second = self._next_second
        if second == 0 or at - second > MAX_CATCH_UP:
            second = at // SECOND * SECOND
        while second <= at:
            self._second(second)
            second += SECOND
        self._next_second = second

    def _second(self, at: int) -> None:
        self.conclude()
        for state in self.states.values():
            state.expire(at)
            for link in list(state.links.values()):
                self._commands.extend(link.session.tick(at))
            self._hand_over(state, at)
        for (venue, _), market in self.markets.items():
            self._tend(self.states[venue], market, at)
        views = self._market_views(at)
        around = {name: self._around(name, views, at) for name in self.assets}
        venues = tuple(state.view() for state in self.states.values())
        self._rest = self._conclusion(at, views, around, venues)
        if self.on_rest is None:
            self.conclude()
        else:
            self.on_rest()

    def conclude(self, pieces: int | None = None) -> bool:
        """Go on with the rest of the second, all of it or some pieces; False when nothing is left."""
        while self._rest is not None and (pieces is None or pieces > 0):
            pieces = None if pieces is None else pieces - 1
            rest, self._rest = self._rest, None  # one that raises is given up; the next second starts afresh
            if next(rest, None) is not None:
                self._rest = rest
        return self._rest is not None

    def _conclusion(
        self,
        at: int,
        views: Mapping[tuple[str, str], MarketView],
        around: Mapping[str, Around],
        venues: tuple[VenueView, ...],
    ) -> Iterator[bool]:
        """What follows from the markets as they stood at `at`, in pieces of about a millisecond (60 markets).

        It reads nothing that frames of books, trades and tickers change, so they may pass in between; everything else waits
        for the end of it. The outcome is the same wherever the pauses fall.
        """
        self._observe(views, at)
        yield True
        by_asset: dict[str, list[MarketView]] = {name: [] for name in self.assets}
        for view in views.values():
            by_asset[view.asset].append(view)
        stepped = []
        for number, asset in enumerate(self.assets.values(), 1):
            prices, figures = around[asset.name]
            stepped.append(asset.step(by_asset[asset.name], at, prices, figures))
            if number % ASSETS_A_PIECE == 0:
                yield True
        draft = ServiceView(
            at=at,
            markets=tuple(views.values()),
            assets=tuple(stepped),
            venues=venues,
            alerts=self._alerts.open_alerts(),
            fx=self.fx.views(),
            alert_totals=dict(self._alerts.totals),
        )
        yield True
        transitions = self._alerts.on_second(draft, at)
        self._raise(transitions)
        self.view = replace(draft, alerts=self._alerts.open_alerts()) if transitions else draft
        yield True
        self._outlet.second(self.view)

    def _hand_over(self, state: VenueState, at: int) -> None:
        """Close a connection whose successor (same plan) carries everything it carried."""
        by_plan: dict[str, Link] = {}
        for link in state.links.values():
            if link.succeeded_at is not None:
                if at - link.succeeded_at >= CLOSE_SPACING:
                    self._close(link, at)
                continue
            older = by_plan.setdefault(link.plan.name, link)
            if older is link or not link.session.carrying:
                continue
            markets = [
                m for m in self.markets.values() if older.index in m.books and m.instrument.venue == state.venue.name
            ]
            # A market that neither can read (one-sided, being delisted) must not keep the others on the old connection.
            if all(m.ready(link.index) or not m.ready(older.index) for m in markets):
                for market in markets:
                    market.promote(link.index, at)
                self._close(older, at)
                by_plan[link.plan.name] = link

    def _close(self, link: Link, at: int) -> None:
        link.succeeded_at = at
        self._commands.append(CloseConnection(link.venue.name, link.index, Reason.SUCCEEDED))

    def _tend(self, state: VenueState, market: Market, at: int) -> None:
        """What a market's books and polls need by the passing of time."""
        market.end_second()
        for index, lane in market.books.items():
            link = state.links.get(index)
            if link is None:
                continue
            if lane.recovery.need:
                self._recover(link, lane, at)
            elif index == market.active and (request := lane.extension_request(at)) is not None:
                self._commands.append(Fetch(state.venue.name, request))
        if state.links:
            self._commands.extend(Fetch(state.venue.name, request) for request in market.due_polls(at))

    def _market_views(self, at: int) -> dict[tuple[str, str], MarketView]:
        views = {}
        for key, market in self.markets.items():
            state = self.states[key[0]]
            link = state.links.get(market.active) if market.active is not None else None
            views[key] = market.view(
                at, self.fx.rate(market.instrument.quote), link, state.halted, state.links.values()
            )
        return views

    def _observe(self, views: Mapping[tuple[str, str], MarketView], at: int) -> None:
        frozen = []
        observations = []
        for view in views.values():
            asset = self.assets[view.asset]
            observations.extend(asset.observations((view,)))
            if asset.frozen:
                frozen.append(f"{view.venue}:{view.market}")
        self.baselines.observe(observations, at, frozen)

    def _around(self, name: str, views: Mapping[tuple[str, str], MarketView], at: int) -> Around:
        """The asset's mids in USD, and its markets' depth around their median (models.md 1.2 ref_price)."""
        mine = [view for view in views.values() if view.asset == name]
        prices: dict[str, float] = {}
        for view in mine:
            fx = self.fx.rate(view.quote)
            if view.verified and view.mid_price is not None and fx is not None:
                prices[f"{view.venue}:{view.market}"] = view.mid_price * fx
        common = statistics.median(prices.values()) if prices else None
        around: dict[str, tuple[DepthFigure, ...]] = {}
        if common is not None:
            for view in mine:
                fx = self.fx.rate(view.quote)
                if view.verified and fx is not None:
                    market = self.markets[view.venue, view.market]
                    around[f"{view.venue}:{view.market}"] = market.depth_around(common / fx, at, fx)
        return prices, around
