"""All markets of one asset seen together: depth across venues, its ratio to the baselines, refill, liquidations, quality."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Final

from engines.depth.matched import matched_ratio
from monitor.baselines import Baselines, Observation, SeriesKey
from monitor.clock import SECOND
from monitor.liquidation.model import AssetModel
from monitor.liquidation.reading import MarketReading
from monitor.refill import RefillWatch
from monitor.regime import DepthRegime
from monitor.views import AssetDepth, AssetView, DepthFigure, MarketView, Quality, Side

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
LIQUIDATION_WINDOW_SECONDS: Final = 60
UNPRICED: Final = -1  # in place of cents
MAX_PRINTS: Final = 50_000  # of one asset's rolling window; older ones leave early and are counted
HEADLINE_BAND: Final = "1%"


class LiquidationWindow:
    """Liquidated USD of the last minute, by position. Sums are kept as whole cents so that adding and leaving cancel."""

    def __init__(self) -> None:
        self._prints: deque[tuple[int, str, int]] = deque()
        self._cents = {"long": 0, "short": 0}
        self._unpriced = {"long": 0, "short": 0}  # prints in the window whose worth nobody knows
        self.overflowed = 0

    def add(self, at: int, position: str, usd: float | None) -> None:
        """`usd` None: the quote's rate is not known, and neither is the total while the print is in the window."""
        cents = UNPRICED if usd is None else round(usd * 100)
        self._prints.append((at, position, cents))
        self._count(position, cents, 1)
        if len(self._prints) > MAX_PRINTS:
            self._drop_oldest()
            self.overflowed += 1

    def totals(self, at: int) -> dict[str, float]:
        limit = at - LIQUIDATION_WINDOW_SECONDS * SECOND
        while self._prints and self._prints[0][0] <= limit:
            self._drop_oldest()
        return {position: cents / 100 for position, cents in self._cents.items() if not self._unpriced[position]}

    def _drop_oldest(self) -> None:
        _, position, cents = self._prints.popleft()
        self._count(position, cents, -1)

    def _count(self, position: str, cents: int, sign: int) -> None:
        if cents == UNPRICED:
            self._unpriced[position] += sign
        else:
            self._cents[position] += sign * cents


class Asset:
    """One asset. `step` once a second with the views of its markets; `liquidated` on each print."""

    def __init__(self, name: str, bands: Sequence[str], baselines: Baselines) -> None:
        self.name = name
        self._places: tuple[tuple[Side, str], ...] = tuple(product(SIDES, bands))
        self._baselines = baselines
        self.regime = DepthRegime()
        self.window = LiquidationWindow()
        self.liquidated_usd = {"long": 0.0, "short": 0.0}
        self.model = AssetModel()
        self._refill = RefillWatch()
        self.view: AssetView | None = None

    def liquidated(self, at: int, position: str, usd: float | None) -> None:
        """One print; `usd` None: its worth is not known."""
        if usd is not None:
            self.liquidated_usd[position] += usd
        self.window.add(at, position, usd)

    @property
    def frozen(self) -> bool:
        """Baselines stand still while the asset is under stress (models.md 1.6)."""
        return self.regime.regime in {"stressed", "cascade", "recovery"}

    def observations(self, markets: Sequence[MarketView]) -> list[Observation]:
        return [
            Observation(SeriesKey(m.venue, m.market, figure.side, figure.band, figure.basis), figure.usd)
            for m in markets
            for figure in m.depth
        ]

    def step(
        self,
        markets: Sequence[MarketView],
        at: int,
        prices_usd: Mapping[str, float],
        common_price: Mapping[str, Sequence[DepthFigure]],
        readings: Sequence[MarketReading] = (),
    ) -> AssetView:
        """The asset as it stands.

        Args:
            markets: views of its markets, verified or not.
            prices_usd: "venue:market" -> mid in USD per coin, verified books only.
            common_price: "venue:market" -> depth around one common price (models.md 1.2 ref_price).
            readings: what its markets bring to the liquidation model.
        """
        depth = self._depths(markets, at, {f"{m.venue}:{m.market}": m.depth for m in markets}, with_baseline=True)
        headline = next((d for d in depth if d.side == "bid" and d.band == HEADLINE_BAND), None)
        readable = any(m.verified for m in markets)
        self.regime.step(headline.acute_ratio if headline else None, readable, at)
        sources = tuple(
            f"{m.venue}:{m.market} {f.basis}"
            for m in markets
            for f in m.depth
            if f.side == "bid" and f.band == HEADLINE_BAND
        )
        refill = self._refill.step(headline.usd if headline else None, sources)
        price_usd = statistics.median(prices_usd.values()) if prices_usd else None
        cascade = self.model.second(readings, price_usd, at, self.liquidated_usd)
        self.view = AssetView(
            asset=self.name,
            at=at,
            price_usd=price_usd,
            depth=depth,
            depth_ref_price=self._depths(markets, at, common_price, with_baseline=False),
            regime=self.regime.regime,
            regime_since=self.regime.since,
            score=None,
            liquidated_usd={(p, "observed"): usd for p, usd in self.liquidated_usd.items()} | dict(cascade.forced_usd),
            liquidated_60s_usd=self.window.totals(at) if any(map(_audible, markets)) else {},
            refill_ratio=refill,
            quality=self._quality(markets, headline),
            markets=tuple(f"{m.venue}:{m.market}" for m in markets),
            cascade=cascade,
        )
        return self.view

    def view_now(self, at: int) -> AssetView | None:
        """The view of the last second with the liquidations up to now: what an alert raised by a print stands on."""
        return None if self.view is None else replace(self.view, liquidated_60s_usd=self.window.totals(at))

    def _depths(
        self,
        markets: Sequence[MarketView],
        at: int,
        figures: Mapping[str, Sequence[DepthFigure]],
        *,
        with_baseline: bool,
    ) -> tuple[AssetDepth, ...]:
        known: dict[tuple[Side, str], dict[str, DepthFigure]] = {place: {} for place in self._places}
        names = [f"{m.venue}:{m.market}" for m in markets]
        for name in names:
            for figure in figures.get(name, ()):
                known[figure.side, figure.band][name] = figure
        result = []
        acute, chronic, coverage = None, None, None
        for (side, band), here in known.items():
            if not here:
                continue
            if with_baseline:
                acute, chronic, coverage = self._ratios(markets, names, side, band, here, at)
            usd = math.fsum([figure.usd for figure in here.values()])
            result.append(AssetDepth(side, band, usd, tuple(here), coverage, acute, chronic))
        return tuple(result)

    def _ratios(
        self,
        markets: Sequence[MarketView],
        names: Sequence[str],
        side: Side,
        band: str,
        here: Mapping[str, DepthFigure],
        at: int,
    ) -> tuple[float | None, float | None, float | None]:
        depths: list[float | None] = []
        acute: list[float | None] = []
        chronic: list[float | None] = []
        baselines = self._baselines
        for m, name in zip(markets, names, strict=True):
            figure = here.get(name)
            key = (
                SeriesKey(m.venue, m.market, side, band, figure.basis)
                if figure is not None
                else baselines.last_key(m.venue, m.market, side, band)
            )
            depths.append(figure.usd if figure is not None else None)
            acute.append(baselines.acute(key, at) if key is not None else None)
            chronic.append(baselines.chronic(key, at) if key is not None else None)
        acute_ratio, coverage = matched_ratio(depths, acute)
        chronic_ratio, _ = matched_ratio(depths, chronic)
        return _known(acute_ratio), _known(chronic_ratio), _known(coverage)

    def _quality(self, markets: Sequence[MarketView], headline: AssetDepth | None) -> Quality:
        verified = sum(m.verified for m in markets)
        coverage = headline.coverage_ratio if headline else None
        share = verified / len(markets) if markets else 0.0
        return Quality(
            confidence=round(share if coverage is None else min(share, coverage), 4),
            coverage_ratio=coverage,
            books_verified=verified,
            books_configured=len(markets),
            degraded=tuple(f"{m.venue}:{m.market} {m.reason}" for m in markets if not m.verified),
        )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _audible(market: MarketView) -> bool:
    """Whether liquidations of the market would reach us: the venue publishes them, and a connection for them stands."""
    return market.liquidation_coverage != "none" and market.liquidations_heard
