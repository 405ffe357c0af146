"""What was sold over the last minutes, and how far an hour usually goes. One of each an asset, stepped once a second."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from typing import Final

from monitor.clock import SECOND

NET_SECONDS: Final = 300  # what cascade_risk compares a sale with
MOST_UNHEARD: Final = 0.5  # of the trading so far
RETURN_SECONDS: Final = 60  # returns of a minute: shorter ones are mostly the spread
VOLATILITY_HALF_LIFE_SECONDS: Final = 3_600.0
LEAST_RETURNS: Final = 10  # ten minutes before a volatility is spoken of
SCORE_HALF_LIFE_SECONDS: Final = 7 * 86_400.0
SCORE_SECONDS: Final = 8 * 3_600.0  # one funding period before a rate is called unusual
NORMAL_SHARE: Final = math.sqrt(math.pi / 2)  # standard deviation over mean absolute deviation, of a normal
LONGEST_STEP_SECONDS: Final = 300  # a return over a longer hole is left out: it is of another market


class NetSelling:
    """Takers' sales less purchases in USD over the last NET_SECONDS, from totals that only grow.

    While markets that did half of all trading so far are not heard, the window has a hole.
    """

    def __init__(self) -> None:
        self._totals: deque[tuple[int, float]] = deque()  # (time, sold - bought since start)
        self._running = 0.0
        self._before: Mapping[str, tuple[float, float]] = {}
        self._hole_at: int | None = None

    def step(self, totals: Mapping[str, tuple[float, float]], at: int, deaf: Collection[str] = ()) -> float | None:
        """One second. totals: "venue:market" -> (bought, sold) since start; deaf: those whose trades do not reach us now.

        None until the whole window was seen.
        """
        traded = {name: bought + sold for name, (bought, sold) in totals.items()}
        if deaf and math.fsum(traded[name] for name in deaf) >= MOST_UNHEARD * math.fsum(traded.values()):
            self._hole_at = at
        for name, (bought, sold) in totals.items():
            before = self._before.get(name)
            if before is not None and bought >= before[0] and sold >= before[1]:
                self._running += (sold - before[1]) - (bought - before[0])
        self._before = totals
        self._totals.append((at, self._running))
        limit = at - NET_SECONDS * SECOND
        while len(self._totals) > 1 and self._totals[1][0] <= limit:
            self._totals.popleft()
        first, value = self._totals[0]
        if self._hole_at is not None and self._hole_at > limit:
            return None
        return self._running - value if first <= limit else None


class RobustScore:
    """How unusual a figure is for its own past: distance from the weighted mean in mean absolute deviations, scaled as a normal score."""

    def __init__(self) -> None:
        self._mean = self._deviation = 0.0
        self._seconds = 0.0

    def score(self, value: float) -> float:
        """Against what was learned; NaN until SCORE_SECONDS were seen, or while nothing moves."""
        if self._seconds < SCORE_SECONDS or not self._deviation > 0.0:
            return math.nan
        return (value - self._mean) / (self._deviation * NORMAL_SHARE)

    def learn(self, value: float, seconds: float) -> None:
        """The figure stood for so long; a hole counts as LONGEST_STEP_SECONDS at most."""
        if not seconds > 0.0:
            return
        seconds = min(seconds, LONGEST_STEP_SECONDS)
        if self._seconds == 0.0:
            self._mean = value
        self._seconds += seconds
        weight = max(1.0 - 2.0 ** (-seconds / SCORE_HALF_LIFE_SECONDS), seconds / self._seconds)
        self._deviation += weight * (abs(value - self._mean) - self._deviation)
        self._mean += weight * (value - self._mean)

    def dump(self) -> list[float]:
        return [self._mean, self._deviation, self._seconds]

    def load(self, values: object) -> bool:
        """Take back what `dump` gave; what makes no sense is left."""
        if not (isinstance(values, list) and len(values) == 3 and all(isinstance(v, int | float) for v in values)):
            return False
        mean, deviation, seconds = (float(value) for value in values)
        if not (math.isfinite(mean) and 0 <= deviation < math.inf and 0 <= seconds < math.inf):
            return False
        self._mean, self._deviation, self._seconds = mean, deviation, seconds
        return True


class HourlyVolatility:
    """Standard deviation of an hour's log return, from exponentially weighted minute returns (zero mean)."""

    def __init__(self) -> None:
        self._variance = 0.0  # of a minute
        self._returns = 0
        self._last: tuple[int, float] | None = None

    def step(self, price: float | None, at: int) -> float | None:
        """One second with the asset's price, None while it is not known."""
        if price is not None and price > 0:
            if self._last is None:
                self._last = at, price
            elif at - self._last[0] >= RETURN_SECONDS * SECOND:
                self._add(math.log(price / self._last[1]), (at - self._last[0]) / SECOND)
                self._last = at, price
        return self.ratio

    @property
    def ratio(self) -> float | None:
        if self._returns < LEAST_RETURNS or not self._variance > 0.0:
            return None
        return math.sqrt(self._variance * 3_600.0 / RETURN_SECONDS)

    def _add(self, value: float, seconds: float) -> None:
        if seconds > LONGEST_STEP_SECONDS:
            return
        self._returns += 1
        weight = max(1.0 - 2.0 ** (-seconds / VOLATILITY_HALF_LIFE_SECONDS), 1.0 / self._returns)
        self._variance += weight * (value * value * RETURN_SECONDS / seconds - self._variance)

    def dump(self) -> list[float]:
        return [self._variance, float(self._returns)]

    def load(self, values: object) -> bool:
        """Take back what `dump` gave; what makes no sense is left."""
        if not (isinstance(values, list) and len(values) == 2 and all(isinstance(v, int | float) for v in values)):
            return False
        variance, returns = float(values[0]), float(values[1])
        if not (math.isfinite(variance) and variance >= 0 and math.isfinite(returns) and returns >= 0):
            return False
        self._variance, self._returns = variance, int(returns)
        return True
