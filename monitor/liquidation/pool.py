"""The books of one asset together with the maps of its markets, solved both ways every second (models.md 4.1, 4.2).

Every market counts its drops from its own mid. A book that cannot be read is left out, with its map: its sellers would meet bids
nobody knows. Spot books absorb and force nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import arbitrage, reasons, solve
from engines.liquidation.cascade import (
    DIRECT_RATIO,
    FORCED_BASE,
    FORCED_USD,
    GAIN,
    IGNITION_BASE,
    IGNITION_USD,
    IGNITIONS,
    LANDING_RATIO,
    LARGEST_FORCED_BASE,
    LARGEST_FORCED_USD,
    LARGEST_IGNITION_BASE,
    LARGEST_LANDING_RATIO,
    LARGEST_RUNAWAY_RATIO,
    RUNAWAY_RATIO,
)
from engines.liquidation.curves import inverse, last_density, value_at, worth
from engines.liquidation.exposure_types import Position
from engines.liquidation.partial import release_of
from engines.liquidation.solver import CascadeSolver, SideResult, SolveSettings
from monitor.cascade_views import (
    DIRECTIONS,
    MAP_SCALES,
    SCALINGS,
    AbsorbingBook,
    Arbitrage,
    CascadeCurves,
    CascadeFigures,
    CascadeSide,
    Direction,
    Jump,
)
from monitor.liquidation.exposure import MarketExposure
from monitor.liquidation.reading import ASKS, BIDS, DROPS, MarketReading

Floats = NDArray[np.float64]

HEADLINE_DROP: Final = 0.01
# Of what the pooled book absorbs within 1%: a jump that forces less is a ripple of the quotes.
NOISE_SHARE: Final = 0.25
LARGEST_FLOOR_USD: Final = 25e6  # models.md 4.1
# models.md 13: eps. Venues that stand further apart than the calm one show how far arbitrage lets them go.
CALM_GAP: Final = 5e-4
STRESSED_GAP: Final = 50e-4
# What arbitrage can move: a share of ten minutes' taker volume, because nobody publishes it.
ARBITRAGE_SHARE: Final = 0.1
ARBITRAGE_MINUTES: Final = 10.0
# Of the index in the marks: large venues mark at an index of spot prices plus a slow basis.
INDEX_WEIGHT: Final = 0.7
# Of the arbitrage loop; what has not settled by then says so.
MAX_ROUNDS: Final = 60
SETTLED_WITHIN: Final = 1e-4
WAYS: Final[Mapping[Direction, tuple[int, int, Position]]] = {
    "down": (-1, BIDS, Position.LONG),
    "up": (1, ASKS, Position.SHORT),
}


@dataclass(frozen=True, slots=True)
class Solved:
    reason: str
    sides: Mapping[Direction, CascadeSide]
    books: tuple[AbsorbingBook, ...]
    curves: CascadeCurves | None


class Volume:
    """Coins traded in a minute, both sides, exponentially weighted over ten of them."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}
        self._at = 0
        self.a_minute: float | None = None

    def step(self, readings: Sequence[MarketReading], at: int) -> None:
        new = math.fsum(self._added(reading) for reading in readings)
        seconds = (at - self._at) / 1e9
        if self._at and seconds > 0:
            rate = new * 60.0 / seconds
            weight = 1.0 - math.exp(-seconds / (60.0 * ARBITRAGE_MINUTES))
            self.a_minute = rate if self.a_minute is None else self.a_minute + weight * (rate - self.a_minute)
        self._at = at

    def _added(self, reading: MarketReading) -> float:
        """Coins since the last look; contracts of an inverse market at the price of now, or later where there is none."""
        price = 1.0 if reading.contract_type != "inverse" else reading.price
        if price is None:
            return 0.0
        total = reading.bought + reading.sold
        before = self._before.get(reading.name, total)
        self._before[reading.name] = total
        return max(0.0, total - before) / price


_SOLVER: Final = CascadeSolver(DROPS, tuple(SCALINGS[scale] for scale in MAP_SCALES))


class Pool:
    """One asset's. Arrays are kept between seconds; results are values of their own."""

    def __init__(self) -> None:
        self._volume = Volume()
        self._stacks = np.zeros((3, 0, len(DROPS)))  # absorption, known, liquidations; by venue

    def solve(
        self,
        readings: Sequence[MarketReading],
        exposures: Mapping[str, MarketExposure],
        price_usd: float | None,
        *,
        mapped: bool,
        at: int,
    ) -> Solved:
        """Both directions. mapped: liquidations of the exposure maps; else of the null maps."""
        self._volume.step(readings, at)
        books = tuple(
            AbsorbingBook(r.venue, r.market, r.reason, *(r.curves.reach if not r.reason else (None, None)))
            for r in readings
        )
        used = [r for r in readings if not r.reason and r.mid is not None]
        if not used or price_usd is None:
            return Solved("no book of the asset is verified", {}, books, None)
        if not any(r.name in exposures and exposures[r.name].usable for r in used):
            return Solved(_mapless(used, exposures), {}, books, None)
        if self._stacks.shape[1] != len(used):
            self._stacks = np.zeros((3, len(used), len(DROPS)))
        sides: dict[Direction, CascadeSide] = {}
        results: dict[Direction, SideResult] = {}
        known: dict[Direction, Floats] = {}
        gap = self._gap(used)
        for direction in DIRECTIONS:
            self._fill(direction, used, exposures, mapped)
            result = self._side(direction, used, price_usd, gap)
            if result.code >= reasons.FIRST_WITHOUT_FIGURES:
                continue
            known[direction] = self._stacks[1].sum(axis=0)
            sides[direction] = _side(direction, result, known[direction], used, gap, price_usd)
            results[direction] = result
        if not sides:
            return Solved(reasons.NAMES[result.code].replace("_", " "), {}, books, None)
        curves = CascadeCurves(
            drops=DROPS,
            absorption={d: r.absorption for d, r in results.items()},
            known=known,
            liquidations={d: r.liquidations for d, r in results.items()},
        )
        return Solved("", sides, books, curves)

    def _fill(
        self,
        direction: Direction,
        used: Sequence[MarketReading],
        exposures: Mapping[str, MarketExposure],
        mapped: bool,
    ) -> None:
        _, side, position = WAYS[direction]
        absorption, known, liquidations = self._stacks
        for row, reading in enumerate(used):
            absorption[row] = reading.curves.whole[side]
            known[row] = reading.curves.known[side]
            exposure = exposures.get(reading.name)
            if exposure is None or not exposure.usable or reading.price is None:
                liquidations[row] = 0.0
                continue
            exposure.curve(position, reading.price, DROPS, liquidations[row], mapped=mapped)
            liquidations[row] *= release_of(reading.venue).at_once

    def _side(self, direction: Direction, used: Sequence[MarketReading], price_usd: float, gap: float) -> SideResult:
        absorption, known, liquidations = self._stacks
        near = absorption[:, _HEADLINE_NODE].copy()
        spot = np.array([reading.contract_type == "spot" for reading in used])
        minute = self._volume.a_minute
        settings = SolveSettings(
            noise_base=NOISE_SHARE * float(near.sum()),
            floor_usd=LARGEST_FLOOR_USD,
            band=gap,
            max_volume=math.inf if minute is None else ARBITRAGE_SHARE * ARBITRAGE_MINUTES * minute,
            index_weight=INDEX_WEIGHT,
            reference_base=float(near.sum()),
            tolerance=SETTLED_WITHIN,
            max_rounds=MAX_ROUNDS,
        )
        weights = np.where(spot, near, 0.0) if spot.any() else near
        return _SOLVER.side(WAYS[direction][0], price_usd, absorption, known, liquidations, near, weights, settings)

    def _gap(self, used: Sequence[MarketReading]) -> float:
        """What arbitrage leaves: as far as the venues stand apart now, within the calm and the stressed figure."""
        prices = [r.mid * r.fx for r in used if r.mid is not None and r.fx is not None]
        if len(prices) < 2:
            return CALM_GAP
        middle = median(prices)
        apart = max(abs(price / middle - 1.0) for price in prices)
        return min(max(CALM_GAP, apart), STRESSED_GAP)


_HEADLINE_NODE: Final = int(np.searchsorted(DROPS, HEADLINE_DROP * (1 - 1e-12)))


def _mapless(used: Sequence[MarketReading], exposures: Mapping[str, MarketExposure]) -> str:
    found = [exposures[r.name].reason for r in used if r.name in exposures]
    return found[0] if found else "no leveraged market of the asset has a verified book"


def _side(
    direction: Direction,
    result: SideResult,
    known: Floats,
    used: Sequence[MarketReading],
    gap: float,
    price_usd: float,
) -> CascadeSide:
    sign = WAYS[direction][0]
    figures = {}
    for number, scale in enumerate(MAP_SCALES):
        row, landings = result.scales[number], result.landings[number]
        first = largest = None
        if row[IGNITIONS] > 0:
            observed = observed_to(DROPS, result.absorption, known, float(row[LANDING_RATIO]))
            first = _jump(row, FIRST_JUMP, float(row[IGNITION_USD]), float(row[DIRECT_RATIO]), observed)
        if math.isfinite(row[LARGEST_RUNAWAY_RATIO]):
            sale = float(row[LARGEST_IGNITION_BASE])
            density = last_density(DROPS, result.absorption)
            direct = inverse(DROPS, result.absorption, sale, density)
            usd = worth(DROPS, result.absorption, 0.0, direct, density, price_usd, sign)
            observed = observed_to(DROPS, result.absorption, known, float(row[LARGEST_LANDING_RATIO]))
            largest = _jump(row, LARGEST_JUMP, usd, direct, observed)
        figures[scale] = CascadeFigures(float(row[GAIN]), first, largest, _arbitrage(row, landings, used, gap))
    return CascadeSide(direction, figures, result.observed_ratio)


def observed_to(drops: Floats, absorption: Floats, known: Floats, landing: float) -> float:
    """Share of the absorption up to a landing (beyond the range: to its end) that rests on known depth."""
    end = min(landing, float(drops[-1]))
    whole = float(value_at(drops, absorption, end, 0.0))
    return min(1.0, float(value_at(drops, known, end, 0.0)) / whole) if whole > 0 else 0.0


FIRST_JUMP: Final = (IGNITION_BASE, RUNAWAY_RATIO, LANDING_RATIO, FORCED_BASE, FORCED_USD)
LARGEST_JUMP: Final = (
    LARGEST_IGNITION_BASE, LARGEST_RUNAWAY_RATIO, LARGEST_LANDING_RATIO, LARGEST_FORCED_BASE, LARGEST_FORCED_USD,
)  # fmt: skip


def _jump(row: Floats, columns: tuple[int, ...], ignition_usd: float, direct: float, observed: float) -> Jump:
    ignition, start, landing, forced, forced_usd = (float(row[column]) for column in columns)
    end = landing if math.isfinite(landing) else None
    return Jump(ignition, ignition_usd, direct, start, end, forced, forced_usd, observed)


def _arbitrage(row: Floats, landings: Floats, used: Sequence[MarketReading], gap: float) -> Arbitrage | None:
    if not math.isfinite(row[solve.ARB_MULTIPLIER]):
        return None
    return Arbitrage(
        gap_ratio=max(gap, float(row[solve.ARB_HIGH] - row[solve.ARB_LOW])) if row[solve.ARB_BOUND] else gap,
        sale_base=float(row[solve.SALE_BASE]),
        moves={r.name: move for r, move in zip(used, landings.tolist(), strict=True) if math.isfinite(move)},
        moved_base=float(row[solve.ARB_VOLUME]),
        multiplier=float(row[solve.ARB_MULTIPLIER]),
        isolated_multiplier=float(row[solve.ISOLATED_MULTIPLIER]),
        converged=bool(row[solve.ARB_CODE] != arbitrage.NOT_SETTLED),
    )
