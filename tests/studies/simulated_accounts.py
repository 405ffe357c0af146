"""The exposure map against accounts that are known: traders open, close, add margin and are liquidated along a random price.

    python -m tests.studies.simulated_accounts [--days 14] [--seeds 5]

The world is not the map's: trades come as single accounts with log-normal sizes and leverages of their own mix, half of the margin calls
are met before the liquidation price, closings hit accounts at random, one in four new accounts is hedged elsewhere. The map sees what a
venue publishes: open interest, price, taker volume, liquidations. Printed: total variation to the true curve over 0-10% in steps of
0.5%, of the map as it starts, of the map after it learned survival, and of open interest spread evenly.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.acceptance import MapScore, total_variation
from engines.liquidation.calibration import NullRate, null_crossed, with_diffuse
from engines.liquidation.exposure_map import ExposureMap
from engines.liquidation.exposure_types import Interval, MapParameters, Position, Reason
from monitor.liquidation.exposure import PRIOR_PASSED, RATE, fresh_survival

Floats = NDArray[np.float64]
STEP_SECONDS: Final = 300
STEPS_A_DAY: Final = 86_400 // STEP_SECONDS
MAINTENANCE: Final = 0.005
LEVERAGES: Final = np.array([1.0, 2.0, 3.0, 5.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0])
TAKERS: Final = np.array([0.12, 0.10, 0.12, 0.14, 0.10, 0.16, 0.08, 0.08, 0.05, 0.03, 0.02])  # not the map's mix
HEDGED: Final = 0.25
RESCUED: Final = 0.5  # of the accounts that come near their liquidation price
NEAR: Final = np.arange(21) * 0.005
OUT: Final = Path("build/study-simulated-accounts.json")


@dataclass
class Side:
    """Accounts of one side: size, liquidation price; NaN for what is never liquidated."""

    sizes: Floats
    prices: Floats

    def add(self, sizes: Floats, prices: Floats) -> None:
        self.sizes, self.prices = np.append(self.sizes, sizes), np.append(self.prices, prices)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self.sizes, self.prices = self.sizes[kept], self.prices[kept]

    @property
    def total(self) -> float:
        return float(self.sizes.sum())


class World:
    """One market. `step` gives what a venue would publish of the interval."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.price = 70_000.0
        self.sides = {1: Side(np.zeros(0), np.zeros(0)), -1: Side(np.zeros(0), np.zeros(0))}
        self._volatility = 0.0012
        self._open(40_000.0, 0.5)

    def _open(self, coins: float, buyers: float) -> None:
        """New longs and shorts of the same size: takers lever, a quarter of them hedged; makers hold without leverage."""
        for sign in (1, -1):
            taken = coins * (buyers if sign > 0 else 1 - buyers)
            count = max(1, self.rng.poisson(max(1.0, taken / 15)))
            sizes = self.rng.lognormal(0.0, 1.5, count)
            sizes *= taken / sizes.sum()
            leverage = self.rng.choice(LEVERAGES, count, p=TAKERS)
            free = (leverage == 1.0) | (self.rng.random(count) < HEDGED)
            entry = self.price * np.exp(self.rng.normal(0.0, self._volatility, count))
            prices = np.where(free, np.nan, entry * (1 - sign / leverage) / (1 - sign * MAINTENANCE))
            self.sides[sign].add(sizes, prices)
            self.sides[sign].add(np.array([coins - taken]), np.array([np.nan]))

    def step(self) -> tuple[Interval, dict[int, float], float]:
        """(interval, coins liquidated by side, price before)."""
        rng, before = self.rng, self.price
        shock = rng.standard_t(3) / math.sqrt(3)
        self._volatility = 0.0012 * 0.05 + 0.95 * self._volatility + 0.05 * 0.0012 * min(abs(shock), 8.0)
        path = self.price * np.exp(np.cumsum(rng.standard_t(4, 10) / math.sqrt(2) * self._volatility / math.sqrt(10)))
        low, high = min(before, float(path.min())), max(before, float(path.max()))
        self.price = float(path[-1])
        liquidated = {}
        for sign, side in self.sides.items():
            hit = side.prices >= low if sign > 0 else side.prices <= high
            saved = hit & (rng.random(len(hit)) < RESCUED)
            side.prices[saved] = side.prices[saved] * (1 - sign * 0.08)  # margin was added
            gone = hit & ~saved
            liquidated[sign] = float(side.sizes[gone].sum())
            side.keep(~gone)
        volume = 40_000.0 * 0.03 * rng.lognormal(0.0, 0.7) * (1 + 200 * abs(self.price / before - 1))
        buyers = min(0.95, max(0.05, 0.5 + 20 * (self.price / before - 1) + 0.1 * rng.standard_normal()))
        # A liquidated position is taken over by a new holder or closes against the other side.
        gap = max(self.sides.values(), key=lambda s: s.total).total
        for sign, side in self.sides.items():
            if gap > side.total:
                self.sides[sign].add(np.array([gap - side.total]), np.array([np.nan]))
        self._open(volume * 0.12, buyers)
        excess = self.sides[1].total / 40_000.0
        closed = volume * 0.12 * rng.uniform(0.6, 1.4) * excess
        for side in self.sides.values():
            order = rng.permutation(len(side.sizes))
            cumulative = np.cumsum(side.sizes[order])
            last = int(np.searchsorted(cumulative, closed))
            part = closed - (cumulative[last - 1] if last else 0.0)
            side.sizes[order[last]] -= part
            kept = np.ones(len(side.sizes), bool)
            kept[order[:last]] = False
            side.keep(kept)
        interval = Interval(
            dt_seconds=STEP_SECONDS,
            open_interest_change=0.0,
            taker_buy=volume * buyers,
            taker_sell=volume * (1 - buyers),
            vwap=math.sqrt(low * high),
            low=low,
            high=high,
        )
        return interval, liquidated, before

    def curve(self, sign: int) -> Floats:
        side = self.sides[sign]
        away = sign * (1 - side.prices / self.price)
        return np.array([float(side.sizes[(away > 0) & (away <= drop)].sum()) for drop in NEAR])


def study(seed: int, days: float) -> dict[str, Any]:
    world = World(seed)
    history: list[tuple[float, float]] = []
    warm = 7 * STEPS_A_DAY  # the world is a week old when the map is filled from the week's volume profile
    for _ in range(warm):
        interval, _, _ = world.step()
        history.append((interval.vwap, interval.taker_buy + interval.taker_sell))
    made = ExposureMap(MapParameters(MAINTENANCE))
    prices, volumes = (np.array(column) for column in zip(*history, strict=True))
    assert made.seed(world.sides[1].total, prices, volumes, world.price) is Reason.OK
    interest = made.open_interest
    survival = fresh_survival(len(made.parameters.buckets) + 1, interest)
    made.adopt(survival.survival)
    null, score = NullRate(RATE, PRIOR_PASSED * interest), MapScore()
    at_start = compare(world, made)
    for _ in range(int(days * STEPS_A_DAY)):
        interval, liquidated, before = world.step()
        change = world.sides[1].total - made.open_interest
        flows = made.step(
            Interval(**{f: getattr(interval, f) for f in interval.__slots__} | {"open_interest_change": change})
        )
        if flows.reason is not Reason.OK:
            continue
        for crossed, extreme, sign in (
            (flows.crossed_longs, interval.low, 1),
            (flows.crossed_shorts, interval.high, -1),
        ):
            passed = null_crossed(made.open_interest, before, extreme)
            wide = with_diffuse(crossed, made.open_interest, before, extreme)
            score.add(liquidated[sign], survival.predict(wide), null.predict(passed))
            survival.update(wide, liquidated[sign])
            null.update(passed, liquidated[sign])
        made.adopt(survival.survival)
    found = score.score()
    return {
        "seed": seed,
        "days": days,
        "at_start": at_start,
        "at_end": compare(world, made),
        "survival": made.survival.tolist(),
        "deviance_ratio": found.deviance_ratio,
        "slope": found.slope,
        "rank_correlation": found.rank_correlation,
        "verdict": found.verdict.value,
    }


def compare(world: World, made: ExposureMap) -> dict[str, dict[str, float]]:
    found = {}
    for side, sign in ((Position.LONG, 1), (Position.SHORT, -1)):
        true, mapped = world.curve(sign), np.empty(len(NEAR))
        made.liquidations(side, world.price, NEAR, mapped)
        found[side.value] = {
            "map": total_variation(true, mapped),
            "null": total_variation(true, NEAR.copy()),
            "true_coins": float(true[-1]),
            "map_coins": float(mapped[-1]),
        }
    return found


def report(found: list[dict[str, Any]]) -> str:
    lines = ["total variation over 0-10% to the true curve"]
    for when in ("at_start", "at_end"):
        for side in ("long", "short"):
            rows = [each[when][side] for each in found]
            mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            wins = sum(row["map"] < row["null"] for row in rows)
            lines.append(
                f"  {when:>8} {side:>5}: map {mean['map']:.3f}  null {mean['null']:.3f}  (map nearer in {wins} of {len(rows)})"
                f"  coins: true {mean['true_coins']:,.0f} map {mean['map_coins']:,.0f}"
            )
    lines.append("liquidations predicted before they were seen, 5-minute intervals")
    lines += [
        f"  seed {e['seed']}: deviance map/null {e['deviance_ratio']:.3f}  slope {e['slope']:.2f}"
        f"  rank {e['rank_correlation']:.2f}  {e['verdict']}"
        for e in found
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    found = [study(seed, given.days) for seed in range(1, given.seeds + 1)]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    print(report(found))


if __name__ == "__main__":
    main()
