"""The life of one alert as a value machine: levels with hysteresis and hold times. Pure; time is an argument (ns)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from monitor.alerts.payloads import Change, Severity

SECOND: Final = 1_000_000_000
SEVERITIES: Final[tuple[Severity, ...]] = ("watch", "warning", "critical")
CLOSED: Final = 0
TOP: Final = len(SEVERITIES)
MAX_GAP: Final = 10 * SECOND  # readings further apart say nothing about the time between: hold times begin anew
STALE_AFTER: Final = 600 * SECOND  # contract: a restored alert the data does not confirm within 10 minutes is closed


@dataclass(frozen=True, slots=True)
class Holds:
    """ns a reading must stand. `rise[n]`: to reach level n+1; `ease`: to fall to a lower level; `close`: to close."""

    rise: tuple[int, int, int]
    ease: int
    close: int

    @classmethod
    def seconds(cls, rise: tuple[float, float, float], ease: float, close: float) -> Holds:
        first, second, third = (round(hold * SECOND) for hold in rise)
        return cls((first, second, third), round(ease * SECOND), round(close * SECOND))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule sees now, as levels 0 (calm) to 3 (critical).

    reached: highest level whose threshold to open or escalate is met. None: unknown, opens and escalates nothing.
    kept: highest level whose threshold to ease or close is not yet passed, so at least `reached`. None: unknown, closes nothing.
    """

    reached: int | None
    kept: int | None


UNKNOWN: Final = Reading(None, None)


def reading(reached: int | None, kept: int | None) -> Reading:
    """A reading with its invariant held: what is reached is also kept."""
    if reached is not None and kept is not None and kept < reached:
        kept = reached
    return Reading(reached, kept)


@dataclass(slots=True)
class Life:
    """One key's alert, over as many lives as it has. `level` 0: closed.

    `feed` gives the change a reading makes, or None. At most one life is open; `sequence` grows by one with every change and
    begins at 1 in every life.
    """

    level: int = CLOSED
    sequence: int = 0
    opened_at: int = 0
    # A restored life must be confirmed by data before this time, else it is stale. None: confirmed.
    confirm_by: int | None = None
    last_at: int | None = None  # of the last reading, known or not
    _reached_since: list[int | None] = field(default_factory=lambda: [None] * (TOP + 1))
    _below_since: list[int | None] = field(default_factory=lambda: [None] * (TOP + 1))

    @property
    def severity(self) -> Severity:
        return SEVERITIES[max(self.level, 1) - 1]

    @classmethod
    def restored(cls, level: int, sequence: int, opened_at: int, at: int) -> Life:
        """A life carried over a restart at `at`."""
        return cls(level=level, sequence=sequence, opened_at=opened_at, confirm_by=at + STALE_AFTER, last_at=at)

    def feed(self, reading: Reading, holds: Holds, at: int) -> Change | None:
        """Take one reading. Times never run backwards; an older one is read as now."""
        if self.last_at is not None:
            if at - self.last_at > MAX_GAP:
                self._forget()
            at = max(at, self.last_at)
        self.last_at = at
        self._note(reading, at)
        if self.level and reading.kept:
            self.confirm_by = None
        target = self._risen(holds, at)
        if target > self.level:
            return self._move(target, at)
        target = self._fallen(holds, at)
        if target < self.level:
            return self._move(target, at)
        return None

    def stale(self, at: int) -> bool:
        """Whether an open life must be closed because data neither confirmed it after a restart nor speaks of it any more."""
        if not self.level:
            return False
        if self.confirm_by is not None:
            return at >= self.confirm_by
        return self.last_at is not None and at - self.last_at >= STALE_AFTER

    def close(self, at: int) -> Change | None:
        """Close whatever the readings say."""
        return self._move(CLOSED, at) if self.level else None

    def _note(self, reading: Reading, at: int) -> None:
        for level in range(1, TOP + 1):
            if reading.reached is None or reading.reached < level:
                self._reached_since[level] = None
            elif self._reached_since[level] is None:
                self._reached_since[level] = at
            if reading.kept is None or reading.kept >= level:
                self._below_since[level] = None
            elif self._below_since[level] is None:
                self._below_since[level] = at

    def _risen(self, holds: Holds, at: int) -> int:
        for level in range(TOP, self.level, -1):
            since = self._reached_since[level]
            if since is not None and at - since >= holds.rise[level - 1]:
                return level
        return self.level

    def _fallen(self, holds: Holds, at: int) -> int:
        """The lowest level every step down to which has been held; a life may close before it eases step by step."""
        lowest = self.level
        for target in range(self.level - 1, CLOSED - 1, -1):
            since = self._below_since[target + 1]
            if since is None:
                break
            if at - since >= (holds.ease if target else holds.close):
                lowest = target
        return lowest

    def _move(self, target: int, at: int) -> Change:
        change: Change
        if self.level == CLOSED:
            change, self.sequence, self.opened_at = "opened", 0, at
        elif target == CLOSED:
            change = "closed"
        else:
            change = "escalated" if target > self.level else "eased"
        self.sequence += 1
        self.level = target
        if target == CLOSED:
            self.confirm_by = None
            self._forget()
        return change

    def _forget(self) -> None:
        self._reached_since = [None] * (TOP + 1)
        self._below_since = [None] * (TOP + 1)
