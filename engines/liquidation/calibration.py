"""Survival by leverage bucket from observed liquidations (models.md 3.5), and the null rate it has to beat.

X[t, l] is what interval t crossed in bucket l before survival (`Flows.crossed_*`), y[t] the de-censored liquidated quantity, both in
base coins. Predictions come before the update, so that what is scored was never fitted to.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.kernel import F64, F64_1, I64, kernel
from engines.liquidation.priors import SURVIVAL

FORGETTING: Final = 0.999  # per 5-minute interval
DIFFUSE_SCALE: Final = 0.01  # the distance at which curvature adds as much as the rate it is worth
DIFFUSE_REACH: Final = (
    0.05  # intervals to learn from end about here; beyond, the diffuse part goes on along its tangent
)
PRIOR_INTERVALS: Final = 10.0  # b0 = this x the median X
Floats = NDArray[np.float64]


def fit_survival(crossed: Floats, observed: Floats, start: Floats, steps: int) -> Floats:
    """Poisson EM (Shepp-Vardi): eta float64[l] after `steps` from `start`; sum of predictions = sum of y after each step.

    Rows with an unknown y or X count for nothing; a bucket that was never crossed keeps its start.
    """
    known = np.isfinite(observed) & np.isfinite(crossed).all(axis=1)
    x, y = crossed[known], np.maximum(observed[known], 0.0)
    weight = x.sum(axis=0)
    eta = np.array(start, np.float64)
    for _ in range(steps):
        predicted = x @ eta
        share = np.divide(y, predicted, out=np.zeros_like(y), where=predicted > 0.0)
        eta = np.where(
            weight > 0.0, eta * np.divide(x.T @ share, weight, out=np.ones_like(eta), where=weight > 0.0), eta
        )
    return eta


class OnlineSurvival:
    """The same, one interval at a time: a <- f a + X eta y/yhat, b <- f b + X, eta = a/b, prior a = eta0 b0."""

    def __init__(
        self,
        prior_weight: Floats,
        prior: Floats | float = SURVIVAL,
        forgetting: float = FORGETTING,
        most: Floats | None = None,
    ) -> None:
        """prior_weight float64[l]: b0, coins crossed that the prior is worth. most float64[l]: the most each eta may be (a share: 1)."""
        self._b = np.array(prior_weight, np.float64)
        if not np.all(self._b > 0.0):
            raise ValueError("the prior of every bucket needs a weight")
        self._eta0 = np.broadcast_to(np.asarray(prior, np.float64), self._b.shape).copy()
        self._a = self._b * self._eta0
        self._forgetting = forgetting
        self._weight0 = self._b.copy()
        self._most = most
        self._eta = self._eta0

    @property
    def survival(self) -> Floats:
        """eta float64[l]; may exceed 1 where more was liquidated than was thought to be there."""
        return self._eta.copy()

    def predict(self, crossed: Floats) -> float:
        """Expected liquidations of an interval, before it is learned from; NaN when X is unknown."""
        return float(crossed @ self._eta)

    def update(self, crossed: Floats, observed: float) -> None:
        """Learns from one interval; one whose y is unknown, negative, or where nothing was crossed teaches nothing."""
        predicted = self.predict(crossed)
        if not (math.isfinite(predicted) and predicted > 0.0 and math.isfinite(observed) and observed >= 0.0):
            return
        self._a = self._forgetting * self._a + crossed * self._eta * (observed / predicted)
        self._b = self._forgetting * self._b + crossed
        self._refresh()

    def _refresh(self) -> None:
        self._eta = np.divide(self._a, self._b, out=self._eta0.copy(), where=self._b > 1e-9 * self._weight0)
        if self._most is not None:
            self._eta = np.minimum(self._eta, self._most)

    def dump(self) -> dict[str, Any]:
        return {"a": self._a.tolist(), "b": self._b.tolist()}

    def load(self, stored: dict[str, Any]) -> None:
        """Takes a `dump` over; ValueError for another shape."""
        try:
            a, b = np.array(stored["a"], np.float64), np.array(stored["b"], np.float64)
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise ValueError(f"not a stored survival: {problem!r}") from problem
        finite = a.shape == b.shape == self._b.shape and bool(np.isfinite(a).all() and np.isfinite(b).all())
        if not finite or np.any(a < 0.0) or np.any(b < 0.0):
            raise ValueError("stored survival has another shape or impossible values")
        self._a, self._b = a, b
        self._refresh()


def null_crossed(open_interest: float, reference: float, extreme: float) -> float:
    """What the null map says an interval crossed: open interest uniform over distance. Zero for a move that is none.

    The distance is the fraction from the price before the interval to its low (longs) or high (shorts).
    """
    if not (open_interest >= 0.0 and reference > 0.0 and extreme > 0.0):
        return math.nan
    return open_interest * abs(extreme / reference - 1.0)


@kernel(I64(F64, F64, F64_1, F64, F64, F64_1))
def add_diffuse(rate: float, curvature: float, moves: Floats, begin: float, coins: float, out: Floats) -> int:
    """Adds to `out` float64[n] what is liquidated of `coins` by moves float64[n], whatever the buckets say, beyond the distance `begin`."""
    inside = min(begin, DIFFUSE_REACH)
    before = rate * begin + curvature * (inside * (2.0 * begin - inside) / DIFFUSE_SCALE)
    for i in range(moves.shape[0]):
        inside = min(moves[i], DIFFUSE_REACH)
        expected = rate * moves[i] + curvature * (inside * (2.0 * moves[i] - inside) / DIFFUSE_SCALE)
        out[i] += coins * max(0.0, expected - before)
    return int(moves.shape[0])


def with_diffuse(crossed: Floats, open_interest: float, reference: float, extreme: float) -> Floats:
    """X float64[n + 1] of one interval with the two diffuse columns: first (bucket 1 is never crossed) and last.

    eta learned on it is what `ExposureMap.adopt` takes. So the map contains the null map, and a convex one (in a fast move more
    is still there than in a slow one), and says more only as far as entries and leverage explain more. Open interest in base coins.
    """
    found = np.empty(len(crossed) + 1)
    found[:-1] = crossed
    distance = abs(extreme / reference - 1.0)
    inside = min(distance, DIFFUSE_REACH)
    found[0] = open_interest * distance
    found[-1] = open_interest * inside * (2.0 * distance - inside) / DIFFUSE_SCALE
    return found


class NullRate:
    """One fitted rate: expected liquidations = rate x open interest x distance; the same forgetting as the map's."""

    def __init__(self, prior: float, prior_weight: float, forgetting: float = FORGETTING) -> None:
        """prior: share of the open interest liquidated per unit of distance; prior_weight: b0, open interest x distance."""
        if not (prior > 0.0 and prior_weight > 0.0):
            raise ValueError("the null rate needs a positive prior and weight")
        self._a, self._b, self._forgetting = prior * prior_weight, prior_weight, forgetting

    @property
    def rate(self) -> float:
        return self._a / self._b

    def dump(self) -> list[float]:
        return [self._a, self._b]

    def load(self, stored: object) -> None:
        """Takes a `dump` over; ValueError for another shape or values no rate can have."""
        if not (isinstance(stored, list) and len(stored) == 2 and all(isinstance(x, int | float) for x in stored)):
            raise ValueError("not a stored rate")
        a, b = float(stored[0]), float(stored[1])
        if not (0.0 < a < math.inf and 0.0 < b < math.inf):
            raise ValueError("a stored rate is not positive")
        self._a, self._b = a, b

    def predict(self, crossed: float) -> float:
        return self.rate * crossed

    def update(self, crossed: float, observed: float) -> None:
        """Learns from one interval that moved; unknown values teach nothing."""
        if not (crossed > 0.0 and math.isfinite(crossed) and observed >= 0.0 and math.isfinite(observed)):
            return
        # A rate alone fits in closed form: sum of y over sum of X.
        self._a = self._forgetting * self._a + observed
        self._b = self._forgetting * self._b + crossed

    def liquidations(self, open_interest: float, moves: Floats, out: Floats, scale: float = 1.0) -> None:
        """The null map's Lambda: out[i] = scale x rate x open interest x moves[i], at most the open interest."""
        np.minimum(scale * self.rate * moves, 1.0, out=out)
        out *= open_interest
