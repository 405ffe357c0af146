"""The hub: recorded events in; state, commands and alerts out. No I/O, no clock.

A live run and a replay are the same calls. Timers run on whole seconds of event time: before any event at `at`, and on every
tick, the hub catches up to `at`, so a recording replays to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from monitor.alerts.evaluator import AlertEngine
from monitor.asset import Asset
from monitor.baselines import Baselines
from monitor.book_lane import BookLane
from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import (
    Command,
    Connected,
    Disconnected,
    Event,
    FrameReceived,
    InstrumentsListed,
    RestReplied,
    VenueHalted,
)
from monitor.fact_desk import FactDesk
from monitor.facts import Channel
from monitor.feed.reasons import Reason
from monitor.fx import FxRates
from monitor.holdings import Holdings
from monitor.links import Handler, Link
from monitor.liquidation.model import AssetModel
from monitor.market import Market, MarketOptions
from monitor.outlet import Outlet
from monitor.second import SecondEnd
from monitor.tending import Tending
from monitor.venue_state import VenueState
from monitor.venues.base import Topic, Venue
from monitor.venues.registry import VENUES
from monitor.views import Regime, ServiceView

# After a longer hole (a recording with a pause) the seconds in between are not run one by one: holds and expiries look at
# times, not at counts, and nothing else happens in them.
MAX_CATCH_UP: Final = 900 * SECOND
NOTHING: Final[tuple[Command, ...]] = ()
# Frames that change nothing the rest of a second reads.
PASSING: Final = frozenset((Channel.BOOK, Channel.TRADES, Channel.TICKER, Channel.OTHER))
DEFAULT_LAG_BOUND: Final = 5 * SECOND


@dataclass(frozen=True, slots=True)
class HubOptions:
    """Settings the hub needs, as plain values."""

    market: MarketOptions
    baseline_warmup_seconds: float = 600.0
    lag_bound: Mapping[str, int] = field(default_factory=dict)  # venue -> ns
    fx_fixed: Mapping[str, float] = field(default_factory=dict)


class Hub:
    """All state of a process. Called from one thread, one call at a time."""

    def __init__(
        self, options: HubOptions, alerts: AlertEngine, outlet: Outlet, venues: Mapping[str, Venue] = VENUES
    ) -> None:
        self._options = options
        self._venues = venues
        self._holdings = Holdings(Baselines(options.baseline_warmup_seconds), FxRates(options.fx_fixed))
        self._commands: list[Command] = []
        self._tending = Tending(self._holdings, self._commands)
        self._desk = FactDesk(self._holdings, alerts, outlet)
        self._end = SecondEnd(self._holdings, alerts, outlet)
        self.baselines, self.fx = self._holdings.baselines, self._holdings.fx
        self.states, self.markets, self.assets = self._holdings.states, self._holdings.markets, self._holdings.assets
        self.regimes_before: dict[str, tuple[Regime, int]] = {}  # of the run before this one
        self.models_before: dict[str, object] = {}  # likewise: the liquidation models, as they were saved
        self._models_left: dict[str, AssetModel] = {}  # of assets whose last market is gone; it may be listed again
        self.last_channel = Channel.OTHER  # of the frame taken last
        self.last_lag: int | None = None  # ns, of the frame taken last
        self._opened = 0  # connections so far
        self._next_second: int = 0
        # None: a second is dealt with at once. Set: called when the rest of one waits for `conclude`, so that a service can
        # let frames pass between its pieces.
        self.on_rest: Callable[[], object] | None = None

    @property
    def view(self) -> ServiceView:
        """The read model of the last second that was concluded."""
        return self._end.view

    def conclude(self, pieces: int | None = None) -> bool:
        """Go on with the rest of the second, all of it or some pieces; False when nothing is left."""
        return self._end.conclude(pieces)

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
        if link.splits:
            self._split(link, data, at)
            return self._take()
        topic = link.session.route(data, at)
        if topic is None:
            self._control(link, at)
            return self._take()
        self._data(link, topic, data, at)
        return self._take() if self._commands else NOTHING

    def _data(self, link: Link, topic: Topic, data: bytes, at: int) -> None:
        """A frame with facts."""
        self.last_channel = topic.channel
        if topic.channel not in PASSING:
            self._end.conclude()
        handler = link.handlers.get(topic.key)
        if handler is None:
            return
        try:
            venue_time = handler(data, at)
        except FrameError:
            link.session.parse_error(topic)
            return
        if venue_time:
            self.last_lag = link.lag.observe(at, venue_time)

    def _split(self, link: Link, data: bytes, at: int) -> None:
        """A frame that may hold several topics: its number on the connection first, then each part by itself."""
        if not link.session.admits(data, at):
            self._control(link, at)
            return
        try:
            parts = link.venue.split(data)
        except FrameError:
            parts = (data,)  # the session says what is wrong with it
        for part in parts:
            topic = link.session.route_part(part, at)
            if topic is None:
                self._control(link, at)
            else:
                self._data(link, topic, part, at)

    def _control(self, link: Link, at: int) -> None:
        """The session kept a frame to itself: an answer, or one whose number shows that another frame is lost."""
        self.last_channel = Channel.OTHER
        if link.session.broken and not link.lost:
            link.lost = True
            for market in self._holdings.markets_of(link.venue.name):
                market.connection_gap(link.index, at)
        link.follow(at)
        self._commands.extend(link.session.drain(at))

    def on_event(self, event: Event) -> Sequence[Command]:
        """Everything that is recorded, in order."""
        if isinstance(event, FrameReceived):
            return self.on_frame(event.venue, event.connection, event.data, event.at)
        if event.at >= self._next_second:
            self._catch_up(event.at)
        self._end.conclude()
        match event:
            case InstrumentsListed():
                self._listed(event)
            case Connected():
                self._connected(event)
            case Disconnected():
                self._disconnected(event)
            case RestReplied():
                if event.request.purpose in ("poll", "history"):
                    self._desk.polled(self._state(event.venue), event)
                else:
                    self._tending.replied(self._state(event.venue), event)
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
        taken = self._commands.copy()
        self._commands.clear()
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
        grown = any((event.venue, symbol) not in self.markets for symbol in listed)
        for key in [k for k in self.markets if k[0] == event.venue and k[1] not in listed]:
            del self.markets[key]
            for link in state.links.values():
                for topic in link.topics_of(key[1]):
                    link.handlers.pop(topic.key, None)
                    link.lanes.pop(topic.key, None)
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
                asset.model.load(self.models_before.pop(instrument.asset, None))
                asset.model = self._models_left.pop(instrument.asset, asset.model)
                self.assets[instrument.asset] = asset
        state.polls.change(state.venue.venue_polls(event.instruments))
        if grown:
            state.polls.hasten()
        alive = {market.instrument.asset for market in self.markets.values()}
        for gone in [name for name in self.assets if name not in alive]:
            self._models_left[gone] = self.assets.pop(gone).model

    # -- connections
    def _connected(self, event: Connected) -> None:
        state = self._state(event.venue)
        if event.connection in state.links:  # its end was not recorded
            self._disconnected(Disconnected(event.at, event.venue, event.connection, Reason.CONNECTION_LOST))
        bound = self._options.lag_bound.get(event.venue, DEFAULT_LAG_BOUND)
        link = Link(event, state.venue, state.offset, bound, state.suspicion(event.plan.name, event.at))
        self._opened += 1
        link.serial = self._opened
        state.opened(link)
        self._handle(link, event.plan.topics, event.at)
        self._handle(link, [topic for key in state.venue.unasked if (topic := state.venue.topic(key))], event.at)
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
            if market is None:
                return None
            if topic.significant_figures is not None:
                return self._lane_handler(link, market.open_layer(link.index, topic))
            # A capture may hold two streams of one market's book, or of its trades: the first one is read.
            if link.index in market.books:
                return None
            return self._lane_handler(link, market.open_book(link.index, topic, at), market)
        if topic.channel is Channel.TRADES:
            return self._trade_handler(link, market, topic) if market and link.index not in market.trades else None
        return lambda data, received: self._desk.frame(link, topic, data, received)

    def _lane_handler(self, link: Link, lane: BookLane, market: Market | None = None) -> Handler:
        """Of a book, or of a coarse layer. `market`: whose bids are looked at when this is the book that is read."""
        key = lane.topic.key
        lane.fallbacks = link.fallbacks
        link.lanes[key] = lane

        def handle(data: bytes, received: int) -> int:
            waiting = lane.recovery.need or lane.left
            try:
                venue_time = lane.frame(data, received)
            finally:  # also for a frame that nobody can read: it took the book with it
                if waiting:
                    lane.heard(link.session.phase(key), received)
                if lane.recovery.need:
                    self._tending.recover(link, lane, received)
            if market is not None and received >= market.meter.next_look and market.active == link.index:
                market.look(lane, received)
            return venue_time

        return handle

    def _trade_handler(self, link: Link, market: Market, topic: Topic) -> Handler:
        lane = market.open_trades(link.index, topic)
        lane.fallbacks = link.fallbacks

        def handle(data: bytes, received: int) -> int:
            return lane.frame(data, self.fx.rate(market.instrument.quote))

        def handle_with_facts(data: bytes, received: int) -> int:
            venue_time = handle(data, received)
            if any(mark in data for mark in topic.facts_when):
                self._end.conclude()  # unlike trades, these facts are read by the rest of a second
                self._desk.frame(link, topic, data, received)
            return venue_time

        return handle_with_facts if topic.facts_when else handle

    def _disconnected(self, event: Disconnected) -> None:
        state = self._state(event.venue)
        link = state.closed(event.connection, event.reason)
        if link is None:
            return
        state.suspect(link, event.at, event.reason)
        for market in self._holdings.markets_of(link.venue.name):
            market.close(link.index, event.at)

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
        self._tending.second(at)
        self._end.begin(at)
        if self.on_rest is None:
            self.conclude()
        else:
            self.on_rest()
