"""Baselines of every market's depth, acute and chronic, and their life across restarts (models.md 1.6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.depth import baseline
from engines.depth.baseline import HOURS_A_WEEK

STEP_SECONDS = 1.0
ACUTE_HALF_LIFE_SECONDS = 3 * 86_400.0
SEASONAL_WEIGHT_AN_HOUR = 0.02
CHRONIC_WEEKS = 12  # whole weeks in 90 days
LONG_CHRONIC_WEEKS = 52  # 365 days
MIN_HOUR_SAMPLES = 600  # an hour counts towards the chronic baseline when ten minutes of it were seen
GROWTH = 64
_HOUR_NS = 3_600_000_000_000

_ALPHA = baseline.smoothing(STEP_SECONDS, ACUTE_HALF_LIFE_SECONDS)
_ALPHA_SEASONAL = 1.0 - (1.0 - SEASONAL_WEIGHT_AN_HOUR) ** (STEP_SECONDS / 3600.0)


class SeriesKey(NamedTuple):
    """What is compared only with its own history."""

    venue: str
    market: str
    side: str
    band: str
    basis: str


class Observation(NamedTuple):
    key: SeriesKey
    usd: float


class Saved(NamedTuple):
    """One row for the state database; `values` are plain floats, None for unknown."""

    kind: str  # "acute" or "chronic"
    key: str
    values: list[float | None]
    at: int


class Baselines:
    """All series of a process. `observe` once a second; everything else reads."""

    def __init__(self, warmup_seconds: float) -> None:
        self._warmup = max(2, math.ceil(warmup_seconds / STEP_SECONDS))
        self._rows: dict[SeriesKey, int] = {}
        self._last_basis: dict[tuple[str, str, str, str], SeriesKey] = {}
        self._mean = np.zeros(GROWTH)
        self._seasonal = np.zeros((GROWTH, HOURS_A_WEEK))
        self._samples = np.zeros(GROWTH, np.int64)
        self._hour_sum = np.zeros(GROWTH)
        self._hour_count = np.zeros(GROWTH, np.int64)
        self._chronic: dict[int, dict[int, NDArray[np.float32]]] = {}  # row -> week -> mean of each hour
        self._hour = -1
        self._dirty_chronic: set[tuple[int, int]] = set()  # (row, week)

    # -- writing
    def observe(self, observations: Sequence[Observation], at: int, frozen: Iterable[str] = ()) -> None:
        """One step of every known series. `frozen` names markets ("venue:market") whose baselines stand still."""
        hour = at // _HOUR_NS
        if hour != self._hour:
            self._close_hour(hour)
        still = frozenset(frozen)
        for freeze in (False, True):
            chosen = [o for o in observations if (f"{o.key.venue}:{o.key.market}" in still) is freeze]
            if not chosen:
                continue
            rows = np.array([self._row(o.key) for o in chosen], np.int64)
            depths = np.array([o.usd for o in chosen])
            baseline.update_many(
                depths,
                rows,
                baseline.hour_of_week(at),
                self._mean,
                self._seasonal,
                self._samples,
                _ALPHA,
                _ALPHA_SEASONAL,
                freeze,
                np.empty(len(rows)),
            )
            if not freeze:
                known = depths > 0.0
                np.add.at(self._hour_sum, rows[known], depths[known])
                np.add.at(self._hour_count, rows[known], 1)
        for o in observations:
            self._last_basis[o.key[:4]] = o.key

    def _row(self, key: SeriesKey) -> int:
        row = self._rows.get(key)
        if row is not None:
            return row
        row = self._rows[key] = len(self._rows)
        if row == len(self._mean):
            self._mean = np.concatenate([self._mean, np.zeros(row)])
            self._seasonal = np.concatenate([self._seasonal, np.zeros((row, HOURS_A_WEEK))])
            self._samples = np.concatenate([self._samples, np.zeros(row, np.int64)])
            self._hour_sum = np.concatenate([self._hour_sum, np.zeros(row)])
            self._hour_count = np.concatenate([self._hour_count, np.zeros(row, np.int64)])
        return row

    def _close_hour(self, hour: int) -> None:
        """Keep the hour's means; hours nobody saw stay unknown. A week takes 672 bytes a series, a year 35 KB."""
        if self._hour >= 0:
            week, slot = divmod(self._hour, HOURS_A_WEEK)
            for row in np.flatnonzero(self._hour_count >= MIN_HOUR_SAMPLES).tolist():
                self._week(row, week)[slot] = self._hour_sum[row] / self._hour_count[row]
                self._dirty_chronic.add((row, week))
            oldest = hour // HOURS_A_WEEK - LONG_CHRONIC_WEEKS
            for weeks in self._chronic.values():
                for old in [week for week in weeks if week < oldest]:
                    del weeks[old]
        self._hour_sum[:] = 0.0
        self._hour_count[:] = 0
        self._hour = hour

    def _week(self, row: int, week: int) -> NDArray[np.float32]:
        weeks = self._chronic.setdefault(row, {})
        if week not in weeks:
            weeks[week] = np.full(HOURS_A_WEEK, np.nan, np.float32)
        return weeks[week]

    # -- reading
    def last_key(self, venue: str, market: str, side: str, band: str) -> SeriesKey | None:
        """The series on the basis this figure was last known on."""
        return self._last_basis.get((venue, market, side, band))

    def acute(self, key: SeriesKey, at: int) -> float | None:
        """The acute baseline in USD; None until the series is warm."""
        row = self._rows.get(key)
        if row is None or self._samples[row] < self._warmup:
            return None
        return baseline.level_of_series(row, baseline.hour_of_week(at), self._mean, self._seasonal, self._samples)

    def chronic(self, key: SeriesKey, at: int, weeks: int = CHRONIC_WEEKS) -> float | None:
        """Mean of the same hour of the week over the trailing weeks, USD; None until one such hour was seen."""
        row = self._rows.get(key)
        if row is None or row not in self._chronic:
            return None
        this_week, slot = divmod(at // _HOUR_NS, HOURS_A_WEEK)
        kept = self._chronic[row]
        same = [float(kept[week][slot]) for week in range(this_week - weeks, this_week) if week in kept]
        known = [v for v in same if not math.isnan(v)]
        return math.fsum(known) / len(known) if known else None

    # -- across restarts
    def dump(self, at: int) -> Iterator[Saved]:
        """Every acute series, and the weeks of chronic series that changed since the last dump.

        The state is copied now (a few array copies); the rows are made as the iterator is walked, which another thread may do.
        """
        dirty, self._dirty_chronic = self._dirty_chronic, set()
        weeks = {(row, week): self._week(row, week).copy() for row, week in sorted(dirty)}
        return _rows(dict(self._rows), self._samples.copy(), self._mean.copy(), self._seasonal.copy(), weeks, at)

    def load(self, rows: Iterable[Saved], at: int) -> int:
        """Take saved rows back; rows of another shape, and weeks older than are kept, are left out. Returns how many were taken."""
        taken = 0
        this_week = at // _HOUR_NS // HOURS_A_WEEK
        for saved in rows:
            parts = saved.key.split("|")
            if not all(value is None or isinstance(value, int | float) for value in saved.values):
                continue
            if saved.kind == "acute" and len(parts) == 5 and len(saved.values) == HOURS_A_WEEK + 2:
                taken += self._load_acute(SeriesKey(*parts), saved.values)
            elif saved.kind == "chronic" and len(parts) == 6 and len(saved.values) == HOURS_A_WEEK:
                taken += self._load_week(SeriesKey(*parts[:5]), parts[5], saved.values, this_week)
        return taken

    def _load_acute(self, key: SeriesKey, values: Sequence[float | None]) -> bool:
        numbers = [value for value in values if value is not None and math.isfinite(value)]
        if len(numbers) != len(values) or numbers[0] < 0:
            return False  # a baseline with a part unknown would be another baseline
        row = self._row(key)
        self._samples[row] = int(numbers[0])
        self._mean[row] = numbers[1]
        self._seasonal[row] = numbers[2:]
        before = self._last_basis.get(key[:4])
        if before is None or self._samples[self._rows[before]] <= self._samples[row]:
            self._last_basis[key[:4]] = key  # which one was the last is not saved: the one mostly used
        return True

    def _load_week(self, key: SeriesKey, week: str, values: Sequence[float | None], this_week: int) -> bool:
        if not week.isdecimal() or not this_week - LONG_CHRONIC_WEEKS <= int(week) <= this_week:
            return False
        self._week(self._row(key), int(week))[:] = [math.nan if value is None else value for value in values]
        return True


def _rows(
    rows: dict[SeriesKey, int],
    samples: NDArray[np.int64],
    mean: NDArray[np.float64],
    seasonal: NDArray[np.float64],
    weeks: dict[tuple[int, int], NDArray[np.float32]],
    at: int,
) -> Iterator[Saved]:
    for key, row in rows.items():
        yield Saved("acute", "|".join(key), [float(samples[row]), float(mean[row]), *seasonal[row].tolist()], at)
    names = {row: "|".join(key) for key, row in rows.items()}
    for (row, week), hours in weeks.items():
        values = [None if math.isnan(value) else value for value in hours.tolist()]
        yield Saved("chronic", f"{names[row]}|{week}", values, at)
