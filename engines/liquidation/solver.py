"""The solve of one asset as the service calls it: grid and scratch are kept, results are values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import reasons, solve
from engines.liquidation.curves import is_grid
from engines.liquidation.grid import cells_of
from engines.liquidation.what_if import WHAT_IF_COLUMNS, what_if

SCALES: Final = (0.5, 1.0, 2.0)  # low, base, high: never one of them alone
BASE: Final = 1  # its place among them


@dataclass(frozen=True, slots=True)
class SolveSettings:
    """Defaults of models.md 13, for a normal market.

    noise_base: coins; a jump that forces no more is none.  floor_usd: of the largest jump.
    band: gap arbitrage leaves (50 bp under stress).  max_volume: coins; 10 minutes of the median arbitrage volume.
    index_weight: share of the index in the marks.  gain_window: drop over which the gain at the price is taken.
    overshoot: how far above the ignition the arbitrage figures are taken.  reference_base: the sale where nothing ignites.
    """

    noise_base: float = 0.0
    floor_usd: float = 25e6
    band: float = 5e-4
    max_volume: float = np.inf
    index_weight: float = 0.0
    gain_window: float = 0.005
    overshoot: float = 1e-3
    reference_base: float = 0.0
    tolerance: float = 1e-6
    max_rounds: int = 200

    def as_array(self) -> NDArray[np.float64]:
        made = np.empty(solve.SETTINGS_SIZE)
        made[solve.NOISE_BASE], made[solve.FLOOR_USD] = self.noise_base, self.floor_usd
        made[solve.BAND], made[solve.MAX_VOLUME] = self.band, self.max_volume
        made[solve.INDEX_WEIGHT], made[solve.GAIN_WINDOW] = self.index_weight, self.gain_window
        made[solve.OVERSHOOT], made[solve.REFERENCE_BASE] = self.overshoot, self.reference_base
        made[solve.TOLERANCE], made[solve.MAX_ROUNDS] = self.tolerance, self.max_rounds
        return made


@dataclass(frozen=True, slots=True, eq=False)
class SideResult:
    """One side: `code` of reasons.py; `scales` float64[s, solve.SCALE_COLUMNS]; `landings` float64[s, v] with arbitrage, NaN for a
    venue left out; `venue_codes` int64[v]; `observed` float64[s]; the pooled `absorption` and `liquidations` float64[n] (unscaled).
    """

    code: int
    scales: NDArray[np.float64]
    landings: NDArray[np.float64]
    venue_codes: NDArray[np.int64]
    observed: NDArray[np.float64]
    absorption: NDArray[np.float64]
    liquidations: NDArray[np.float64]

    @property
    def observed_ratio(self) -> float:
        """At the base scaling's landing; NaN where there are no figures."""
        return float(self.observed[BASE if len(self.observed) > BASE else 0])


class CascadeSolver:
    """Solves over one grid. Not for two threads at once."""

    def __init__(self, x: NDArray[np.float64], scales: tuple[float, ...] = SCALES) -> None:
        """Raises ValueError when `x` is no grid: strictly ascending from 0, finite, at least two nodes."""
        self.x = np.ascontiguousarray(x, np.float64)
        if not is_grid(self.x):
            raise ValueError("a grid ascends strictly from 0 and has at least two finite nodes")
        self.scales = np.array(scales, np.float64)
        self._cells, self._per_unit = cells_of(self.x)

    def side(
        self,
        sign: int,
        price_usd: float,
        absorption: NDArray[np.float64],
        known: NDArray[np.float64],
        liquidations: NDArray[np.float64],
        shares: NDArray[np.float64],
        weights: NDArray[np.float64],
        settings: SolveSettings,
    ) -> SideResult:
        """Curves float64[v, n] in coins; `shares` of a sale and `weights` of the index float64[v]. Bad input is a code, not an error."""
        venues, n = absorption.shape
        pooled, by_venue = np.empty((4, n)), np.zeros((3, venues))
        codes = np.zeros(venues, np.int64)
        found = np.empty((len(self.scales), solve.SCALE_COLUMNS))
        landings, observed = np.empty((len(self.scales), venues)), np.empty(len(self.scales))
        code = solve.solve_side(
            self.x,
            self._cells,
            self._per_unit,
            absorption,
            known,
            liquidations,
            price_usd,
            sign,
            self.scales,
            shares,
            weights,
            settings.as_array(),
            pooled,
            by_venue,
            codes,
            found,
            landings,
            observed,
        )
        return SideResult(int(code), found, landings, codes, observed, pooled[0], pooled[2])

    def what_if(self, sign: int, price_usd: float, side: SideResult, sale: float) -> tuple[int, NDArray[np.float64]]:
        """(code, float64[s, WHAT_IF_COLUMNS]) of `sale` coins on the pooled curves of a result."""
        found = np.full((len(self.scales), WHAT_IF_COLUMNS), np.nan)
        if side.code >= reasons.FIRST_WITHOUT_FIGURES:
            return side.code, found
        code = what_if(self.x, side.absorption, side.liquidations, price_usd, sign, self.scales, sale, found)
        return int(code), found
