"""Map and cascade against a world where the truth is known: the simulator's accounts and its books.

    python -m tests.studies.simulated_cascade [--minutes 12] [--seeds 3]

1. The map the service estimates from open interest, prices and trades, and the null map, against the positions that are really
   there: total-variation distance over 0-10%, both sides.
2. Sales of growing size into a copy of the world: where the price lands and what is forced, predicted (with the true positions,
   with the estimated map, with the null map, and with refill) and realised.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.acceptance import total_variation
from engines.liquidation.cascade import first_passage
from engines.liquidation.curves import value_at
from engines.liquidation.exposure_types import Position
from engines.liquidation.refill import SIMULATED_COLUMNS, SIMULATED_FORCED, SIMULATED_MAX, simulate
from monitor import rehearsal
from monitor.clock import SECOND
from monitor.liquidation.reading import DROPS
from monitor.simulator.market import Market
from monitor.simulator.market_model import World
from monitor.simulator.positions import Account
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario

Floats = NDArray[np.float64]
ASSET: Final = "BTC"
NEAR: Final = (
    np.arange(21) * 0.005
)  # as it is published: finer bins would measure that accounts are few, not where they are
SHARES_OF_DEPTH: Final = (0.25, 0.5, 1.0, 1.5, 2.0)  # sales, as shares of what the pooled book absorbs within 1%
REALISED_SECONDS: Final = 30
OUT: Final = Path("build/study-simulated-cascade.json")


def true_liquidations(market: Market, sign: int, drops: Floats = DROPS) -> Floats:
    """Coins whose liquidation price lies within each drop (rise) from the mark: the true map, all of which will be closed."""
    ledger = market.ledger
    held = (ledger._lots > 0) if sign > 0 else (ledger._lots < 0)
    prices, lots = ledger._liquidation[held], np.abs(ledger._lots[held])
    away = sign * (1.0 - prices / market.mark)
    order = np.argsort(away)
    away, coins = away[order], lots[order] * market.spec.base(market.mark)
    inside = away > 0
    cumulative = np.concatenate([[0.0], np.cumsum(coins[inside])])
    return cumulative[np.searchsorted(away[inside], drops, side="right")]


def true_absorption(market: Market) -> Floats:
    """Coins bid within each drop from the mid."""
    edge = market.index_at(market.mid * (1 - DROPS[-1]))
    indices, lots = market.book.within(1, max(0, edge))
    prices = np.array([market.price(int(index)) for index in indices])
    away = 1.0 - prices / market.mid
    order = np.argsort(away)
    cumulative = np.concatenate([[0.0], np.cumsum(lots[order] * market.spec.base(market.mid))])
    return cumulative[np.searchsorted(away[order], DROPS, side="right")]


def stage_after(name: str, seed: int, seconds: float) -> rehearsal._Stage:
    """The service in memory, after so much of a scenario."""
    stage = rehearsal._Stage()
    stage.source = ScenarioSource(scenario(name), seed=seed, epoch_ns=rehearsal.EPOCH, venues=rehearsal.SIMULATED)
    for venue in rehearsal.SIMULATED:
        stage.open(rehearsal.VENUES[venue])
    while stage.now < rehearsal.EPOCH + seconds * SECOND:
        stage.step()
    return stage


def markets_of(world: World) -> list[Market]:
    return [m for m in world.markets.values() if m.spec.asset == ASSET]


def distances(stage: rehearsal._Stage) -> dict[str, dict[str, float]]:
    """Total variation over 0-10%, pooled over venues, by side: of the estimated map, and of open interest spread evenly."""
    found: dict[str, dict[str, float]] = {}
    exposures = stage.hub.assets[ASSET].model.exposures
    for side, sign in ((Position.LONG, 1), (Position.SHORT, -1)):
        true, mapped = np.zeros(len(NEAR)), np.zeros(len(NEAR))
        for market in markets_of(stage.source.world):
            exposure = exposures.get(f"{market.spec.venue}:{market.spec.symbol}")
            if exposure is None or exposure.map is None:
                continue
            out = np.empty(len(NEAR))
            exposure.curve(side, market.mark, NEAR, out, mapped=True)
            mapped += out
            true += true_liquidations(market, sign, NEAR)
        found[side.value] = {
            "map": total_variation(true, mapped),
            "null": total_variation(true, NEAR.copy()),
            "true_coins": float(true[-1]),
            "map_coins": float(mapped[-1]),
        }
    return found


def sell(world: World, coins: float) -> dict[str, float]:
    """Sell into every venue by its depth, in one step, and watch what follows; the given world is not touched."""
    trial = copy.deepcopy(world)
    markets = markets_of(trial)
    depth = np.array([value_at(DROPS, true_absorption(m), 0.01, 0.0) for m in markets])
    before = [m.mid for m in markets]
    forced_before = sum(m.liquidated_lots[1] * m.spec.base(m.mid) for m in markets)
    for market, share in zip(markets, depth / depth.sum(), strict=True):
        lots = int(coins * share / market.spec.base(market.mid))
        market.order(-1, lots, market.mid * 0.5, trial.now_ms, Account.SELLER)
    lowest = min(m.mid / b for m, b in zip(markets, before, strict=True))
    pooled = [np.mean([m.mid / b for m, b in zip(markets, before, strict=True)])]
    for _ in range(REALISED_SECONDS * 20):
        trial.step()
        ratios = [m.mid / b for m, b in zip(markets, before, strict=True)]
        lowest = min(lowest, *ratios)
        pooled.append(np.mean(ratios))
    forced = sum(m.liquidated_lots[1] * m.spec.base(m.mid) for m in markets) - forced_before
    return {"landing": 1 - float(min(pooled)), "lowest": 1 - lowest, "forced": forced}


def predicted(absorption: Floats, liquidations: Floats, coins: float) -> dict[str, float]:
    landing = float(first_passage(DROPS, absorption, liquidations, 1.0, coins))
    return {"landing": landing, "forced": float(value_at(DROPS, liquidations, min(landing, DROPS[-1]), 0.0))}


def refilled(absorption: Floats, liquidations: Floats, coins: float, cap: float) -> dict[str, float]:
    """With the refill rate and engine speed of the simulated market."""
    sales, drops, found = np.zeros(REALISED_SECONDS * 2), np.empty(REALISED_SECONDS * 2), np.empty(SIMULATED_COLUMNS)
    sales[0] = coins
    simulate(DROPS, absorption, liquidations, 1.0, sales, 0.5, 0.03, 0.3, cap, 0.6, drops, found)
    return {"landing": float(found[SIMULATED_MAX]), "forced": float(found[SIMULATED_FORCED])}


def cascades(stage: rehearsal._Stage) -> list[dict[str, Any]]:
    """Every sale: realised, and predicted in four ways."""
    world = stage.source.world
    exposures = stage.hub.assets[ASSET].model.exposures
    markets = markets_of(world)
    absorption = np.sum([true_absorption(m) for m in markets], axis=0)
    truth = np.sum([true_liquidations(m, 1) for m in markets if m.spec.leveraged], axis=0)
    mapped, null = np.zeros(len(DROPS)), np.zeros(len(DROPS))
    for market in markets:
        exposure = exposures.get(f"{market.spec.venue}:{market.spec.symbol}")
        for total, with_map in ((mapped, True), (null, False)):
            if exposure is not None and exposure.map is not None:
                out = np.empty(len(DROPS))
                exposure.curve(Position.LONG, market.mark, DROPS, out, mapped=with_map)
                np.add(total, out, out=total)
    cap = sum(m.spec.engine_usd_per_second / m.mid for m in markets)
    near = float(value_at(DROPS, absorption, 0.01, 0.0))
    return [
        {
            "sale": share * near,
            "share_of_depth_1pct": share,
            "realised": sell(world, share * near),
            "true positions": predicted(absorption, truth, share * near),
            "estimated map": predicted(absorption, mapped, share * near),
            "null map": predicted(absorption, null, share * near),
            "true, with refill": refilled(absorption, truth, share * near, cap),
        }
        for share in SHARES_OF_DEPTH
    ]


def study(name: str, seed: int, seconds: float) -> dict[str, Any]:
    stage = stage_after(name, seed, seconds)
    return {
        "scenario": name,
        "seed": seed,
        "seconds": seconds,
        "distance": distances(stage),
        "cascades": cascades(stage),
    }


def report(found: list[dict[str, Any]]) -> str:
    lines = ["total-variation distance of the liquidation curve over 0-10%, to the positions that are really there"]
    for each in found:
        for side, row in each["distance"].items():
            lines.append(
                f"  {each['scenario']:>8} {each['seconds']:>5.0f} s seed {each['seed']} {side:>5}:"
                f" map {row['map']:.3f}  null {row['null']:.3f}   coins within 10%: true {row['true_coins']:,.0f} map {row['map_coins']:,.0f}"
            )
    lines.append("a sale, in shares of the bids within 1%: landing % / coins forced")
    ways = ("realised", "true positions", "true, with refill", "estimated map", "null map")
    lines.append("  " + " " * 24 + "".join(f"{way:>24}" for way in ways))
    for each in found:
        for row in each["cascades"]:
            cells = "".join(f"{_percent(row[way]['landing']):>12} {row[way]['forced']:>11,.0f}" for way in ways)
            lines.append(f"  {each['scenario']:>8} seed {each['seed']} {row['share_of_depth_1pct']:>5.2f}   {cells}")
    return "\n".join(lines)


def _percent(value: float) -> str:
    return f"{value:.2%}" if math.isfinite(value) else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=12.0, help="simulated time before the calm states are taken")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    found = []
    for seed in range(1, given.seeds + 1):
        found.append(study("calm", seed, 60 * given.minutes))
        found.append(study("cascade", seed, 40.0))  # leverage has piled up, the dump begins
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))
    print(report(found))


if __name__ == "__main__":
    main()
