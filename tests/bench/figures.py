"""One measured figure, and whether it reaches its goal."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`goal`: at most this. `spread`: how far the runs lay apart, as a ratio of the value."""

    name: str
    title: str
    value: float
    unit: str
    goal: float | None = None
    spread: float | None = None
    levels: int | None = None

    @property
    def met(self) -> bool | None:
        return None if self.goal is None else self.value <= self.goal
