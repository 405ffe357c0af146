"""The end of a second: views of markets and assets, baselines, alert rules, the read model."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from monitor.alerts.evaluator import AlertEngine
from monitor.fx import Pair
from monitor.holdings import Holdings
from monitor.links import Link
from monitor.liquidation.read import read_market
from monitor.liquidation.reading import MarketReading
from monitor.market import Market
from monitor.outlet import Outlet
from monitor.views import DepthFigure, MarketView, ServiceView, VenueView

ASSETS_A_PIECE: Final = 2  # each solves its cascade: about a millisecond with a dozen venues
# Of one asset: "venue:market" -> mid in USD, and depth around their median.
Around = tuple[dict[str, float], dict[str, tuple[DepthFigure, ...]]]


class SecondEnd:
    """Called by the hub alone. `begin` reads the markets as they stand; the rest may wait, and is `conclude`d in pieces."""

    def __init__(self, holdings: Holdings, alerts: AlertEngine, outlet: Outlet) -> None:
        self.view = ServiceView(at=0)
        self._holdings = holdings
        self._alerts = alerts
        self._outlet = outlet
        self._rest: Iterator[bool] | None = None

    @property
    def pending(self) -> bool:
        return self._rest is not None

    def begin(self, at: int) -> None:
        """Everything that has to be seen at this moment."""
        self._holdings.fx.update(self._pairs(at), at)
        views = self._market_views(at)
        around = {name: self._around(name, views, at) for name in self._holdings.assets}
        readings = self._readings(views, at)
        venues = tuple(state.view() for state in self._holdings.states.values())
        self._rest = self._conclusion(at, views, around, readings, venues)

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
        readings: Mapping[str, Sequence[MarketReading]],
        venues: tuple[VenueView, ...],
    ) -> Iterator[bool]:
        """What follows from the markets as they stood at `at`, in pieces of about a millisecond (60 markets).

        It reads nothing that frames of books, trades and tickers change, so they may pass in between; everything else waits
        for the end of it. The outcome is the same wherever the pauses fall.
        """
        self._observe(views, at)
        yield True
        assets = self._holdings.assets
        by_asset: dict[str, list[MarketView]] = {name: [] for name in assets}
        for view in views.values():
            by_asset[view.asset].append(view)
        stepped = []
        for number, asset in enumerate(assets.values(), 1):
            prices, figures = around[asset.name]
            stepped.append(asset.step(by_asset[asset.name], at, prices, figures, readings[asset.name]))
            if number % ASSETS_A_PIECE == 0:
                yield True
        draft = ServiceView(
            at=at,
            markets=tuple(views.values()),
            assets=tuple(stepped),
            venues=venues,
            alerts=self._alerts.open_alerts(),
            fx=self._holdings.fx.views(),
            alert_totals=dict(self._alerts.totals),
        )
        yield True
        transitions = self._alerts.on_second(draft, at)
        if transitions:
            self._outlet.transitions(transitions)
        self.view = replace(draft, alerts=self._alerts.open_alerts()) if transitions else draft
        yield True
        self._outlet.second(self.view)

    # -- what is read at the moment itself
    def _book_link(self, market: Market) -> tuple[Link | None, str]:
        """The connection that carries the market's book, and why its venue is halted."""
        state = self._holdings.states[market.instrument.venue]
        return state.links.get(market.active) if market.active is not None else None, state.halted

    def _stopped(self, market: Market, at: int) -> str:
        """Why its venue matches no orders of the market."""
        instrument = market.instrument
        return self._holdings.states[instrument.venue].stopped(instrument.symbol, at)

    def _pairs(self, at: int) -> Iterable[Pair]:
        """What spot markets against the dollar say of the currencies others are quoted in."""
        markets = self._holdings.markets.values()
        quotes = {market.instrument.quote for market in markets}
        for market in markets:
            instrument = market.instrument
            if instrument.contract_type == "spot" and instrument.quote == "USD" and instrument.asset in quotes:
                pair = market.pair(*self._book_link(market), at, self._stopped(market, at))
                if pair is not None:
                    yield pair

    def _market_views(self, at: int) -> dict[tuple[str, str], MarketView]:
        views = {}
        for key, market in self._holdings.markets.items():
            links = self._holdings.states[key[0]].links
            market.layers.join(market.book, links, at)
            fx = self._holdings.fx.rate(market.instrument.quote)
            views[key] = market.view(at, fx, *self._book_link(market), links.values(), self._stopped(market, at))
        return views

    def _readings(self, views: Mapping[tuple[str, str], MarketView], at: int) -> dict[str, list[MarketReading]]:
        """What every market brings to the liquidation model, by asset."""
        found: dict[str, list[MarketReading]] = {name: [] for name in self._holdings.assets}
        for key, view in views.items():
            fx = self._holdings.fx.rate(view.quote)
            found[view.asset].append(read_market(self._holdings.markets[key], view, fx, at))
        return found

    def _observe(self, views: Mapping[tuple[str, str], MarketView], at: int) -> None:
        frozen = []
        observations = []
        for view in views.values():
            asset = self._holdings.assets[view.asset]
            observations.extend(asset.observations((view,)))
            if asset.frozen:
                frozen.append(f"{view.venue}:{view.market}")
        self._holdings.baselines.observe(observations, at, frozen)

    def _around(self, name: str, views: Mapping[tuple[str, str], MarketView], at: int) -> Around:
        """The asset's mids in USD, and its markets' depth around their median (models.md 1.2 ref_price)."""
        fx = self._holdings.fx
        mine = [view for view in views.values() if view.asset == name]
        prices: dict[str, float] = {}
        for view in mine:
            rate = fx.rate(view.quote)
            if view.verified and view.mid_price is not None and rate is not None:
                prices[f"{view.venue}:{view.market}"] = view.mid_price * rate
        common = statistics.median(prices.values()) if prices else None
        around: dict[str, tuple[DepthFigure, ...]] = {}
        if common is not None:
            for view in mine:
                rate = fx.rate(view.quote)
                if view.verified and rate is not None:
                    market = self._holdings.markets[view.venue, view.market]
                    around[f"{view.venue}:{view.market}"] = market.depth_around(common / rate, at, rate)
        return prices, around
