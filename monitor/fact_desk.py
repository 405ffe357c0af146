"""Facts of the cold channels and of polls, each to the market it is about; liquidations also to their asset, the alerts and the outlet."""

from __future__ import annotations

import math

from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.payloads import LiquidationPayload, rfc3339
from monitor.alerts.rules.base import LiquidationContext
from monitor.errors import FrameError
from monitor.events import RestReplied
from monitor.facts import Channel, Liquidation, Told, Unread, VenueNotice
from monitor.holdings import Holdings
from monitor.links import Link
from monitor.market import Market
from monitor.money import coins, price_per_coin
from monitor.outlet import Outlet
from monitor.venue_state import VenueState
from monitor.venues.base import Topic


class FactDesk:
    """Called by the hub alone, in its thread."""

    def __init__(self, holdings: Holdings, alerts: AlertEngine, outlet: Outlet) -> None:
        self._holdings = holdings
        self._alerts = alerts
        self._outlet = outlet

    def frame(self, link: Link, topic: Topic, data: bytes, at: int) -> int:
        """A frame of a cold channel; returns the venue's time of it (ns) where that tells its lag, else 0.

        Raises:
            FrameError: the venue module cannot read it.
        """
        state = self._holdings.states[link.venue.name]
        ticker = topic.channel is Channel.TICKER
        if ticker and len(topic.symbols) == 1:
            self._heard(state, topic.symbols[0], at)
        venue_time = 0
        for fact in link.venue.parse(topic, data):
            if isinstance(fact, Unread):
                link.session.parse_error(topic)
                continue
            if ticker and not topic.symbols and not isinstance(fact, VenueNotice):
                self._heard(state, fact.symbol, at)
            self._take(state, fact, at, link, None)
            venue_time = max(venue_time, fact.venue_time)
        # An old liquidation or a funding stamp says nothing about how late this frame is; a ticker's time does.
        return venue_time if ticker and topic.silence_seconds is not None else 0

    def _heard(self, state: VenueState, symbol: str, at: int) -> None:
        market = self._holdings.markets.get((state.venue.name, symbol))
        if market is not None:
            market.figures.heard(at)

    def polled(self, state: VenueState, event: RestReplied) -> None:
        """The answer to a poll, of one market or of the whole venue."""
        request = event.request
        market = self._holdings.markets.get((event.venue, request.symbol)) if request.symbol is not None else None
        if request.symbol is not None and market is None:
            return  # no longer listed
        polls = state.polls if market is None else market.polls
        try:
            facts = None if event.error else state.venue.parse_poll(request, event.body)
        except FrameError:
            facts = None
        if facts is None:
            state.poll_errors[request.key] += 1
            polls.failed(request.key, event.at)
            return
        until = polls.answered(request.key, event.at)
        for fact in facts:
            if isinstance(fact, Unread):
                state.poll_errors[request.key] += 1
                continue
            self._take(state, fact, event.at, None, until)

    def _take(self, state: VenueState, fact: Told, at: int, link: Link | None, until: int | None) -> None:
        if isinstance(fact, VenueNotice):
            if not (fact.symbol or fact.family) or any(
                fact.concerns(market.instrument.symbol) for market in self._holdings.markets_of(state.venue.name)
            ):
                state.notice(fact)
            return
        market = self._holdings.markets.get((state.venue.name, fact.symbol))
        if market is None:
            return
        if isinstance(fact, Liquidation):
            self._liquidated(market, fact, at, link, state)
        else:
            market.take(fact, at, until)

    def _liquidated(self, market: Market, fact: Liquidation, at: int, link: Link | None, state: VenueState) -> None:
        fx = self._holdings.fx.rate(market.instrument.quote)
        offset = state.offset.value or 0
        counted = market.liquidated(fact, at, link.serial if link else 0, fx, offset)
        if counted is None:
            return  # seen before, or a replay of the past
        if fact.kind != "liquidation":
            return  # counted apart: it met no order of the book
        fact = market.at_mark(fact)
        if fact.coverage == "none":
            raise ValueError(f"{state.venue.name} says it publishes no liquidations, and sent one")
        usd = None if math.isnan(counted) else counted
        instrument = market.instrument
        asset = self._holdings.assets[instrument.asset]
        asset.liquidated(at, fact.position, usd)
        asset.model.printed(instrument.venue, fact.coverage, at)
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
        transitions = self._alerts.on_liquidation(instrument.asset, fact.position, usd, at, context)
        if transitions:
            self._outlet.transitions(transitions)
