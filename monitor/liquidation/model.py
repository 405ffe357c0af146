"""The liquidation model of one asset: exposure maps of its leveraged markets, and what a sale would do to its books.

`second` once a second with what every market brought; `printed` on every liquidation. Deterministic: state comes from the calls.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.acceptance import MapScore, Score
from engines.liquidation.censoring import Estimate
from engines.liquidation.exposure_map import PROFILE_BINS, PROFILE_STEP
from engines.liquidation.exposure_types import Position
from monitor.cascade_views import (
    CascadeView,
    ExposureColumn,
    ExposureMarket,
    ExposureView,
    MapScoreView,
    MapState,
)
from monitor.clock import SECOND
from monitor.liquidation.excitement import Excitement
from monitor.liquidation.exposure import SIDES, STEP_SECONDS, MarketExposure, Minute
from monitor.liquidation.flow import HourlyVolatility, NetSelling
from monitor.liquidation.pool import Pool
from monitor.liquidation.profile import Profile, profile_of
from monitor.liquidation.reading import MarketReading

Floats = NDArray[np.float64]
WITHIN: Final[Mapping[str, int]] = {"1%": 2, "2%": 4, "5%": 10, "10%": 20}  # distance -> bins of 0.5%
EDGES: Final[Floats] = np.linspace(0.0, PROFILE_BINS * PROFILE_STEP, PROFILE_BINS + 1)
HISTORY_MINUTES: Final = 240  # columns of the heat map that are kept
ESTIMATES: Final = ("low", "base", "high")
NOTHING: Final[Mapping[str, float]] = {}


class AssetModel:
    """Mutable; its asset alone writes it."""

    def __init__(self) -> None:
        self.exposures: dict[str, MarketExposure] = {}
        self._score = MapScore()
        self.score = self._score.score()  # made anew once a minute
        # Worth of what was liquidated and not printed, since start: by position and estimate.
        self._unprinted = {(side.value, name): 0.0 for side in SIDES for name in ESTIMATES}
        self._volatility = HourlyVolatility()
        self._net = NetSelling()
        self._excitement = Excitement()
        self._pool = Pool()
        self._profiles: dict[str, tuple[object, Profile | None]] = {}  # by market, with the candles it was made of
        self._history: deque[ExposureColumn] = deque(maxlen=HISTORY_MINUTES)
        self._saved: dict[str, Any] = {}
        self._last_minute = 0

    # -- what comes in
    def printed(self, venue: str, coverage: str, at: int) -> None:
        """A liquidation was printed."""
        self._excitement.printed(venue, coverage, at)

    def second(
        self,
        readings: Sequence[MarketReading],
        price_usd: float | None,
        at: int,
        observed_usd: Mapping[str, float] = NOTHING,
    ) -> CascadeView:
        """The model as it stands. price_usd: of the asset, None without a verified book. observed_usd: printed since start, by position."""
        sigma = self._volatility.step(price_usd, at)
        deaf = [r.name for r in readings if not r.trades_heard]
        net = self._net.step({r.name: (r.bought_usd, r.sold_usd) for r in readings}, at, deaf)
        leveraged = [reading for reading in readings if reading.leveraged]
        borrowed = next((p for p in (self._profile(r) for r in readings) if p is not None), None)
        if sigma is None and borrowed is not None:
            sigma = borrowed.sigma_1h  # of the week, until ten minutes were seen
        self._update_maps(leveraged, borrowed, at)
        minute = at // (STEP_SECONDS * SECOND)
        if minute != self._last_minute:
            self._last_minute = minute
            self._close_minute(leveraged, at)
        if leveraged:
            self.exposures[leveraged[at // SECOND % len(leveraged)].name].rescore()
        exposure = self._exposure(leveraged, price_usd, at)
        calibrated = exposure is not None and exposure.state == "calibrated"
        solved = self._pool.solve(readings, self.exposures, price_usd, mapped=calibrated, at=at)
        return CascadeView(
            at=at,
            price_usd=price_usd,
            reason=solved.reason,
            sides=solved.sides,
            exposure=exposure,
            books=solved.books,
            sigma_1h_ratio=sigma,
            net_sold_usd=net,
            forced_usd=self._forced(observed_usd) if leveraged else {},
            hawkes=self._excitement.view(at),
            day_volume_usd=self._day_volume(readings),
            curves=solved.curves,
        )

    def _update_maps(self, leveraged: Sequence[MarketReading], borrowed: Profile | None, at: int) -> None:
        for reading in leveraged:
            exposure = self.exposures.get(reading.name)
            if exposure is None:
                exposure = self.exposures[reading.name] = MarketExposure(reading)
                exposure.load(self._saved.pop(reading.name, None), at)
            exposure.second(reading, at, self._profile(reading) or borrowed)

    def _profile(self, reading: MarketReading) -> Profile | None:
        """Of the market's own candles; made once for each answer of the venue."""
        candles = reading.candles
        if candles is None:
            return None
        known = self._profiles.get(reading.name)
        if known is None or known[0] is not candles:
            known = self._profiles[reading.name] = (candles, profile_of(candles))
        return known[1]

    def _day_volume(self, readings: Sequence[MarketReading]) -> float | None:
        """USD traded in the last 24 hours on the markets that tell their candles; None when none does."""
        total = 0.0
        for reading in readings:
            profile, price = self._profile(reading), reading.price
            if profile is None or profile.day is None or reading.fx is None or price is None:
                continue
            size = profile.day * float(reading.instrument.contract_size)
            inverse = reading.contract_type == "inverse"
            total += size * reading.fx * (1.0 if inverse else price * reading.instrument.unit_multiplier)
        return total if 0.0 < total < math.inf else None

    # -- minutes
    def _close_minute(self, leveraged: Sequence[MarketReading], at: int) -> None:
        """Step every map, tell apart what complete feeds saw, score, learn."""
        closed: list[tuple[MarketReading, Minute]] = []
        for reading in leveraged:
            minute = self.exposures[reading.name].close(reading, at)
            if minute is not None:
                closed.append((reading, minute))
        complete = {
            side: (
                math.fsum(m.forced[side].size for _, m in closed if m.complete),
                math.fsum(m.open_interest for _, m in closed if m.complete),
            )
            for side in SIDES
        }
        totals = {side: [0.0, 0.0, 0.0] for side in SIDES}
        for reading, minute in closed:
            outcomes = self.exposures[reading.name].learn(minute, reading.coverage, complete)
            for side, outcome in outcomes.items():
                if minute.price_usd is not None:
                    self._count(side, outcome.estimate, minute.price_usd)
                if not math.isnan(outcome.observed) and not math.isnan(outcome.predicted):
                    for i, value in enumerate((outcome.observed, outcome.predicted, outcome.null)):
                        totals[side][i] += value
        for side in SIDES:
            if closed:
                self._score.add(*totals[side])
        self.score = self._score.score()

    def _count(self, side: Position, estimate: Estimate, price_usd: float) -> None:
        """What was printed counts at once, at its own price; here comes what the minute hid."""
        for name in ESTIMATES:
            hidden = (getattr(estimate, name) - estimate.low) * price_usd
            if 0.0 < hidden < math.inf:
                self._unprinted[side.value, name] += hidden

    def _forced(self, observed_usd: Mapping[str, float]) -> dict[tuple[str, str], float]:
        return {key: observed_usd[key[0]] + hidden for key, hidden in self._unprinted.items() if key[0] in observed_usd}

    # -- what it says
    def _exposure(self, leveraged: Sequence[MarketReading], price_usd: float | None, at: int) -> ExposureView | None:
        """None when no market of the asset tells its open interest."""
        if not leveraged:
            return None
        held = known = 0.0
        markets: list[ExposureMarket] = []
        shown: list[tuple[MarketExposure, float, float]] = []  # with the mark, and USD of a coin there
        for reading in leveraged:
            exposure = self.exposures[reading.name]
            mark = reading.price
            usd = _interest_usd(reading, mark)
            exposure.interest_usd = usd if usd is not None else exposure.interest_usd
            known += exposure.interest_usd or 0.0  # one that is not told any more is missing, not gone
            if exposure.usable and mark is not None and usd is not None and reading.fx is not None:
                held += usd
                shown.append((exposure, mark, mark * reading.fx))
            markets.append(self._market(reading, exposure, usd))
        bins = {side: _bins(side, shown) for side in SIDES} if shown else {}
        score = self.score
        state: MapState = "unknown" if not held else "calibrated" if score.verdict == "calibrated" else "indicative"
        reason = "" if state == "calibrated" else score.reason
        if state == "unknown":
            reason = next((market.reason for market in markets if market.reason), "no map can be used")
        if state != "unknown" and price_usd is not None:
            self._remember(bins, price_usd, at)
        return ExposureView(
            state=state,
            reason=reason,
            bin_ratio=PROFILE_STEP,
            bins_usd={side.value: tuple(values.tolist()) for side, values in bins.items()},
            within_usd={
                (side.value, name): float(values[:count].sum())
                for side, values in bins.items()
                for name, count in WITHIN.items()
            },
            coverage_ratio=held / known if known > 0 else None,
            score=score_view(self.score),
            markets=tuple(markets),
            history=tuple(self._history),
        )

    def _market(self, reading: MarketReading, exposure: MarketExposure, usd: float | None) -> ExposureMarket:
        score = exposure.score
        state: MapState = (
            "unknown" if not exposure.usable else "calibrated" if score.verdict == "calibrated" else "indicative"
        )
        return ExposureMarket(
            venue=reading.venue,
            market=reading.market,
            open_interest_usd=usd,
            state=state,
            reason=exposure.reason or ("" if state == "calibrated" else score.reason),
            tiers_source=exposure.tiers_source,
            coverage=reading.coverage,
            survival=exposure.survival,
            score=score_view(exposure.score),
        )

    def _remember(self, bins: Mapping[Position, Floats], price_usd: float, at: int) -> None:
        """One column of the heat map a minute."""
        if self._history and at // (60 * SECOND) == self._history[-1].at // (60 * SECOND):
            return
        long, short = (bins[side].astype(np.float32) for side in SIDES)
        self._history.append(ExposureColumn(at, price_usd, long, short))  # type: ignore[arg-type]

    # -- across restarts
    def dump(self) -> Callable[[], dict[str, Any]]:
        """What makes the JSON-able state, of now whenever it is called and by whatever thread: maps are packed over there."""
        markets = {name: made for name, exposure in self.exposures.items() if (made := exposure.dump()) is not None}
        waiting = dict(self._saved)  # of markets that are not listed yet
        own = {"volatility": self._volatility.dump(), "score": self._score.dump()}
        return lambda: own | {"markets": waiting | {name: make() for name, make in markets.items()}}

    def load(self, saved: object) -> bool:
        """Take back what `dump` gave, before the first second; False for what makes no sense."""
        if not isinstance(saved, dict) or not isinstance(saved.get("markets"), dict):
            return False
        score = MapScore()
        try:
            score.load(saved.get("score", {}))
        except (ValueError, KeyError, TypeError, OverflowError):
            return False
        self._score, self.score = score, score.score()
        self._volatility.load(saved.get("volatility"))
        self._saved = dict(saved["markets"])
        return True


def _bins(side: Position, shown: Sequence[tuple[MarketExposure, float, float]]) -> Floats:
    """USD expected to be liquidated in each step of distance, over the markets."""
    cumulative = np.empty((len(shown), len(EDGES)))
    for row, (exposure, mark, _) in enumerate(shown):
        exposure.curve(side, mark, EDGES, cumulative[row], mapped=True)
    coins = np.array([usd for _, _, usd in shown]) @ np.diff(cumulative, axis=1)
    direction = -1.0 if side is Position.LONG else 1.0
    usd: Floats = coins * (1.0 + direction * (EDGES[:-1] + PROFILE_STEP / 2))
    return usd


def score_view(score: Score) -> MapScoreView:
    """With what is not a number as unknown."""
    return MapScoreView(
        intervals=score.events,
        deviance_ratio=_known(score.deviance_ratio),
        rank_correlation=_known(score.rank_correlation),
        slope=_known(score.slope),
        level=_known(score.level),
    )


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _interest_usd(reading: MarketReading, mark: float | None) -> float | None:
    if reading.open_interest is None or reading.fx is None:
        return None
    unit = 1.0 if reading.contract_type == "inverse" else mark
    usd = math.nan if unit is None else reading.open_interest * unit * reading.fx
    return usd if 0.0 < usd < math.inf else None
