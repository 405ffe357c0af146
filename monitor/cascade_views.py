"""The read model of the liquidation model: what a sale would set off, where it would land, and how far that can be trusted.

USD unless a name says otherwise; ratios of the current price; unknown is None. `down`: sales, bids, long positions; `up`: the mirror.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Direction = Literal["down", "up"]
MapScale = Literal["low", "base", "high"]
MapState = Literal["calibrated", "indicative", "unknown"]
DIRECTIONS: Final[tuple[Direction, Direction]] = ("down", "up")
MAP_SCALES: Final[tuple[MapScale, ...]] = ("low", "base", "high")
SCALINGS: Final[Mapping[MapScale, float]] = {"low": 0.5, "base": 1.0, "high": 2.0}  # models.md 13: of the map
LEAST_OBSERVED: Final = 0.5  # below this share of known depth a cascade is indicative and raises no alert


class Jump(NamedTuple):
    """Where the price runs away from a sale, and where it lands (models.md 4.1).

    landing_ratio None: nothing within the searched range stops it; then the forced sums are those down to its end.
    """

    ignition_base: float
    ignition_usd: float
    direct_ratio: float  # the move that sale alone would make
    distance_ratio: float  # from here on it feeds itself
    landing_ratio: float | None
    forced_base: float  # extra, ignition to landing
    forced_usd: float
    observed_ratio: float  # share of the absorption up to the landing (the end of the range) that rests on known depth


class Arbitrage(NamedTuple):
    """The same sale where venues are tied by arbitrage within a gap only (models.md 4.2)."""

    gap_ratio: float
    sale_base: float  # just above the ignition, or what the books absorb within 1% where nothing ignites; split by the books' depth
    moves: Mapping[str, float]  # "venue:market" -> move
    moved_base: float  # bought where it is cheap, sold where it is dear
    multiplier: float
    isolated_multiplier: float  # the same sale without any arbitrage
    converged: bool  # False: the venues pull each other along so slowly that the figures are those of the last round


class CascadeFigures(NamedTuple):
    """One direction at one scaling of the exposure map."""

    gain: float  # forced units one more unit of selling sets off, at the current price
    first: Jump | None  # None: no self-sustaining cascade within range
    largest: Jump | None  # by forced notional, above the floor
    arbitrage: Arbitrage | None


class CascadeSide(NamedTuple):
    direction: Direction
    figures: Mapping[MapScale, CascadeFigures]
    observed_ratio: (
        float  # share of the absorption up to the landing (or the end of the range) that rests on known depth
    )

    @property
    def indicative(self) -> bool:
        return not self.observed_ratio >= LEAST_OBSERVED


class MapScoreView(NamedTuple):
    """How the exposure map did out of sample, against a map of the same open interest spread evenly (models.md 3.5)."""

    intervals: int  # with liquidations
    deviance_ratio: float | None  # of the map over that of the null map; below 1 the map is better
    rank_correlation: float | None
    slope: float | None  # of seen on predicted
    level: float | None = None  # all that was seen over all that was predicted


@dataclass(frozen=True, slots=True)
class ExposureMarket:
    """One market's part of the map. `reason`: why it takes no part, "" when it does."""

    venue: str
    market: str
    open_interest_usd: float | None
    state: MapState
    reason: str
    tiers_source: str
    coverage: str
    survival: tuple[float, ...]  # by leverage bucket: share of a crossed cohort that was still there
    score: MapScoreView


class ExposureColumn(NamedTuple):
    """The map at one moment of the past: USD by bins of distance from the price of then, nearest first."""

    at: int
    price_usd: float
    long_usd: Floats
    short_usd: Floats


@dataclass(frozen=True, slots=True)
class ExposureView:
    """Where forced sellers (and buyers) sit, over every leveraged market of the asset.

    within_usd: (position, "1%") -> expected liquidations up to that distance. bins_usd: the same in steps of 0.5% of the price.
    """

    state: MapState
    reason: str
    bin_ratio: float
    bins_usd: Mapping[str, tuple[float, ...]]
    within_usd: Mapping[tuple[str, str], float]
    coverage_ratio: float | None  # share of the known open interest that the map covers
    score: MapScoreView
    markets: tuple[ExposureMarket, ...]
    history: Sequence[ExposureColumn] = ()  # one a minute, oldest first


class AbsorbingBook(NamedTuple):
    """One book the cascade was solved on. `reason`: why it was left out, "" when it was used."""

    venue: str
    market: str
    reason: str
    bid_reach_ratio: float | None
    ask_reach_ratio: float | None


@dataclass(frozen=True, slots=True)
class CascadeCurves:
    """Pooled over the venues, by drop: coins. Arrays are never written after the view was made."""

    drops: Floats
    absorption: Mapping[Direction, Floats]
    known: Mapping[Direction, Floats]
    liquidations: Mapping[Direction, Floats]  # at scale 1


@dataclass(frozen=True, slots=True)
class HawkesView:
    """Self-excitation of liquidations. branching: None where no complete feed tells it (models.md 4.6); never a reason by itself."""

    intensity: float | None  # events a second
    branching: float | None
    venues: Mapping[str, tuple[float | None, float | None]]  # (intensity, branching)


@dataclass(frozen=True, slots=True)
class CascadeView:
    """The whole liquidation model of one asset at one second. `reason`: why there are no sides, "" when there are."""

    at: int
    price_usd: float | None
    reason: str
    sides: Mapping[Direction, CascadeSide]
    exposure: ExposureView | None
    books: tuple[AbsorbingBook, ...]
    sigma_1h_ratio: float | None
    net_sold_usd: float | None  # takers' sales less purchases, last five minutes; None: not known for the whole of them
    forced_usd: Mapping[tuple[str, str], float]  # (position, estimate) -> liquidated since start
    hawkes: HawkesView
    curves: CascadeCurves | None
    day_volume_usd: float | None = None  # of the markets that tell their candles: a lower bound

    @property
    def map_driven(self) -> bool:
        """Whether the calibrated map drives it, and not the null map."""
        return self.exposure is not None and self.exposure.state == "calibrated"
