"""How depth comes back after a sweep: the refill ratio at a few horizons (models.md 1.5), on a one-second grid."""

from __future__ import annotations

from typing import Final

from engines.depth.resilience import REFILL_WINDOWS_SECONDS, refill_ratio

SWEEP_DROP: Final = 0.2  # a fall of a fifth of the depth within one second is a sweep


class RefillWatch:
    """One asset's bid depth at 1%. A sweep starts a clock; the ratio at each horizon is kept until the next sweep."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._sources: tuple[str, ...] = ()
        self._before = self._after = 0.0
        self._age: int | None = None
        self._ratios: dict[int, float] = {}

    def step(self, depth: float | None, sources: tuple[str, ...]) -> dict[int, float]:
        """Ratios known so far, by horizon in seconds.

        `sources`: which figures the depth is the sum of. Another set of them is another quantity: the watch starts over.
        """
        if depth is None or sources != self._sources:
            self._last, self._sources, self._age = depth, sources, None
            self._ratios = {}
            return {}
        if self._last is not None and depth < (1.0 - SWEEP_DROP) * self._last:
            if self._age != 0:  # else the sweep goes on into this second: what stood before it counts
                self._before = self._last
            self._after, self._age, self._ratios = depth, 0, {}
        elif self._age is not None:
            self._age += 1
            if self._age in REFILL_WINDOWS_SECONDS:
                self._ratios = {**self._ratios, self._age: refill_ratio(self._before, self._after, depth)}
            if self._age >= REFILL_WINDOWS_SECONDS[-1]:
                self._age = None
        self._last = depth
        return self._ratios
