"""What the exposure map costs: a step of twelve markets, the curve after a step, a second's reading of it. Medians of many runs."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from engines.liquidation.exposure_map import ExposureMap
from engines.liquidation.exposure_types import Interval, MapParameters, Position
from tests.bench.figures import Figure

MARKETS: Final = 12
WARM_UP: Final = 3_000  # steps: ten days of five minutes, so that every bucket is as full as it gets
RUNS: Final = 300
NODES: Final = 2_000
STEP_US: Final = 200.0
READ_US: Final = 40.0


def map_figures() -> list[Figure]:
    random = np.random.default_rng(20261122)
    maps = [ExposureMap(MapParameters(0.005, inverse=i % 4 == 3)) for i in range(MARKETS)]
    profile = 70_000 * np.exp(np.arange(-300, 301) * 5e-4)
    for one in maps:
        one.seed(1e5, profile, np.ones(len(profile)), 70_000.0)
    price = 70_000.0

    moves, out = np.linspace(0.0, 0.2, NODES), np.empty(NODES)
    steps, builds, reads = [], [], []
    for i in range(WARM_UP + RUNS):
        price *= math.exp(random.normal(0, 0.0015))
        interval = Interval(300, random.normal(0, 50), 900, 1100, price, price * 0.9985, price * 1.0015, 1e-6)
        took = _seconds(partial(_step, maps, interval))
        if i >= WARM_UP:
            steps.append(took)
            # The first reading after a step builds the curve; the others of the same second only read it.
            read = partial(maps[0].liquidations, Position.LONG, price)
            builds.append(_seconds(partial(read, moves[:1], out[:1])))
            reads.append(_seconds(partial(read, moves, out)))
    return [
        Figure("map_step", f"exposure map: a step of {MARKETS} markets", statistics.median(steps) * 1e6, "us", STEP_US),
        Figure("map_curve", "exposure map: the curve of a market after a step", statistics.median(builds) * 1e6, "us"),
        Figure("map_read", f"exposure map: {NODES:,} nodes of a curve", statistics.median(reads) * 1e6, "us", READ_US),
    ]


def _step(maps: list[ExposureMap], interval: Interval) -> None:
    for one in maps:
        one.step(interval)


def _seconds(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun
