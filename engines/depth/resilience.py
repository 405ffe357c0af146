"""Refill after a sweep (models.md 1.5): decay rate of the deficit, refill ratio and speed. Plain functions over short arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

REFILL_WINDOWS_SECONDS = (1, 5, 30, 120)


def decay_rate_ar1(deficit: NDArray[np.float64], step_seconds: float) -> tuple[float, float]:
    """(phi, kappa) of an AR(1) through the origin on a regular grid; NaN when the deficits do not decay."""
    earlier, later = deficit[:-1], deficit[1:]
    denominator = float(np.dot(earlier, earlier))
    if denominator == 0.0:
        return math.nan, math.nan
    phi = float(np.dot(earlier, later)) / denominator
    return phi, (-math.log(phi) / step_seconds if phi > 0.0 else math.nan)


def decay_rate_ols(deficit: NDArray[np.float64], step_seconds: float) -> tuple[float, float]:
    """(kappa, fitted deficit at 0) from least squares of ln d on t; only defined while every deficit is positive."""
    if len(deficit) < 2 or bool(np.any(deficit <= 0.0)):
        return math.nan, math.nan
    t = np.arange(len(deficit)) * step_seconds
    y = np.log(deficit)
    slope = float(np.dot(t - t.mean(), y - y.mean()) / np.dot(t - t.mean(), t - t.mean()))
    return -slope, math.exp(float(y.mean()) - slope * float(t.mean()))


def half_life(kappa: float) -> float:
    """Seconds until half the deficit is refilled."""
    return math.log(2.0) / kappa


def refill_ratio(before: float, after: float, later: float) -> float:
    """Share of the removed depth that is back: (D(t0+tau) - D(t0+)) / (D(t0-) - D(t0+))."""
    removed = before - after
    return (later - after) / removed if removed > 0.0 else math.nan


def refill_speed(after: float, later: float, seconds: float) -> float:
    """Depth that comes back a second, in the unit of depth."""
    return (later - after) / seconds


def depth_change(added: float, cancelled: float, executed: float, moved: float) -> float:
    """dD = A - C - X + M."""
    return added - cancelled - executed + moved


def withdrawal_share(cancelled: float, executed: float) -> float:
    """W = C / (C + X): 1 = makers left, 0 = depth was eaten; NaN when nothing was removed."""
    removed = cancelled + executed
    return cancelled / removed if removed > 0.0 else math.nan
