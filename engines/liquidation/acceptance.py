"""Whether the map may drive anything (models.md 3.5): its out-of-sample score against the null map."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MIN_EVENTS: Final = 50  # scored intervals with liquidations, before a verdict
SLOPE_LOW, SLOPE_HIGH = 0.5, 2.0
SCORE_FORGETTING: Final = 0.999
MAX_PAIRS: Final = 512  # of predicted and realised, kept for the rank correlation
_FLOOR: Final = 1e-9  # of the mean observation: a prediction of zero may not cost infinity
Floats = NDArray[np.float64]


class Verdict(StrEnum):
    CALIBRATED = "calibrated"
    INDICATIVE = "indicative"


def poisson_deviance(observed: float, predicted: float) -> float:
    """2 (y ln(y/yhat) - (y - yhat)); 0 when equal, NaN for unknown or negative values, inf for y > 0 where none was possible."""
    if not (observed >= 0.0 and predicted >= 0.0):
        return math.nan
    if predicted == 0.0:
        return math.inf if observed > 0.0 else 0.0
    found = (observed * math.log(observed / predicted) if observed > 0.0 else 0.0) - (observed - predicted)
    return 2.0 * max(0.0, found)  # rounding may leave a hair below


def ranks(values: Floats) -> Floats:
    """Ranks from 1, equal values share their mean rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = ends - (counts - 1) / 2.0
    return mean[inverse]


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's, ties averaged; NaN for fewer than two pairs or a constant side."""
    if len(first) < 2:
        return math.nan
    a, b = ranks(first), ranks(second)
    a, b = a - a.mean(), b - b.mean()
    spread = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / spread if spread > 0.0 else math.nan


def calibration_slope(observed: Floats, predicted: Floats) -> float:
    """Slope of y on yhat with an intercept, weights 1/(yhat + mean yhat), so that one large interval does not decide alone.

    NaN for fewer than two pairs or predictions that are all alike.
    """
    if len(predicted) < 2 or not predicted.mean() > 0.0:
        return math.nan
    weight = 1.0 / (predicted + predicted.mean())
    weight /= weight.sum()
    x, y = predicted - weight @ predicted, observed - weight @ observed
    spread = float(weight @ (x * x))
    return float(weight @ (x * y)) / spread if spread > 1e-18 * float(predicted.mean()) ** 2 else math.nan


def total_variation(first: Floats, second: Floats) -> float:
    """Distance between two cumulative curves on the same nodes: half the absolute difference of their normalised increments.

    0 for the same shape, 1 for no overlap; NaN when one of them holds nothing. Hand in nodes over 0-10%.
    """
    a, b = np.diff(first), np.diff(second)
    total_a, total_b = float(a.sum()), float(b.sum())
    if not (total_a > 0.0 and total_b > 0.0):
        return math.nan
    return 0.5 * float(np.abs(a / total_a - b / total_b).sum())


@dataclass(frozen=True, slots=True)
class Score:
    """Out of sample, weighted towards the recent. `reason` says in words why the verdict is what it is."""

    verdict: Verdict
    reason: str
    events: int
    deviance_ratio: float  # map over null; below 1 the map is better
    level: float  # realised over predicted, summed
    slope: float
    rank_correlation: float


class MapScore:
    """Takes pairs of prediction and outcome as they come, both made before the outcome was learned from."""

    def __init__(self, forgetting: float = SCORE_FORGETTING, min_events: int = MIN_EVENTS) -> None:
        self._forgetting, self._min_events = forgetting, min_events
        self._map = self._null = self._observed = self._predicted = self._weight = 0.0
        self._events = 0
        self._pairs: deque[tuple[float, float]] = deque(maxlen=MAX_PAIRS)

    def add(self, observed: float, predicted: float, null: float) -> bool:
        """One interval in base coins. False, and nothing changed, when a value is unknown or negative."""
        if not all(math.isfinite(value) and value >= 0.0 for value in (observed, predicted, null)):
            return False
        if observed == 0.0 and predicted == 0.0 and null == 0.0:
            return True  # nothing was said and nothing happened
        f = self._forgetting
        self._weight = f * self._weight + 1.0
        self._observed = f * self._observed + observed
        self._predicted = f * self._predicted + predicted
        floor = _FLOOR * self._observed / self._weight
        self._map = f * self._map + poisson_deviance(observed, max(predicted, floor))
        self._null = f * self._null + poisson_deviance(observed, max(null, floor))
        self._events += observed > 0.0
        self._pairs.append((observed, predicted))
        return True

    def score(self) -> Score:
        ratio = self._map / self._null if self._null > 0.0 else math.nan
        level = self._observed / self._predicted if self._predicted > 0.0 else math.nan
        pairs = np.array(self._pairs, np.float64).reshape(-1, 2)
        slope = calibration_slope(pairs[:, 0], pairs[:, 1])
        correlation = rank_correlation(pairs[:, 0], pairs[:, 1])
        verdict, reason = Verdict.INDICATIVE, f"calibrated on {self._events} intervals with liquidations"
        if self._events < self._min_events:
            reason = f"only {self._events} of {self._min_events} intervals with liquidations were scored"
        elif not ratio < 1.0:
            reason = f"predicts no better than open interest spread evenly over distance (deviance ratio {ratio:.2f})"
        elif not SLOPE_LOW <= level <= SLOPE_HIGH:
            reason = f"liquidations were {level:.2f} times the predicted, outside {SLOPE_LOW} to {SLOPE_HIGH}"
        elif not SLOPE_LOW <= slope <= SLOPE_HIGH:
            reason = f"realised liquidations rise {slope:.2f} times as fast as predicted, outside {SLOPE_LOW} to {SLOPE_HIGH}"
        else:
            verdict = Verdict.CALIBRATED
        return Score(verdict, reason, self._events, ratio, level, slope, correlation)

    def dump(self) -> dict[str, Any]:
        return {
            "sums": [self._map, self._null, self._observed, self._predicted, self._weight],
            "events": self._events,
            "pairs": [list(pair) for pair in self._pairs],
        }

    def load(self, stored: dict[str, Any]) -> None:
        """Takes a `dump` over; ValueError for another shape, with nothing changed."""
        try:
            sums = [float(value) for value in stored["sums"]]
            pairs = [(float(first), float(second)) for first, second in stored["pairs"]]
            events = int(stored["events"])
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise ValueError(f"not a stored score: {problem!r}") from problem
        values = [*sums, *(value for pair in pairs for value in pair), events]
        if len(sums) != 5 or not all(math.isfinite(value) and value >= 0.0 for value in values):
            raise ValueError("stored score has another shape or impossible values")
        self._map, self._null, self._observed, self._predicted, self._weight = sums
        self._events = events
        self._pairs = deque(pairs, maxlen=MAX_PAIRS)
