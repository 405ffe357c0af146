"""Depth of several venues against their baselines, like with like (models.md 1.6, 1.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def matched_ratio(depths: Sequence[float | None], baselines: Sequence[float | None]) -> tuple[float, float]:
    """(R, coverage): sum of known depths over the sum of the same venues' baselines, and the known share of all baselines.

    A venue whose depth is unknown leaves numerator and baseline alike; it is never counted as zero. A venue without a
    baseline takes part in neither. NaN where nothing is known.
    """
    known_depth = known_base = all_base = 0.0
    for depth, base in zip(depths, baselines, strict=True):
        if base is None or not base > 0.0:
            continue
        all_base += base
        if depth is not None:
            known_depth += depth
            known_base += base
    if all_base == 0.0:
        return math.nan, math.nan
    coverage = known_base / all_base
    return (known_depth / known_base if known_base > 0.0 else math.nan), coverage


def imbalance(bid: float, ask: float) -> float:
    """I = (D_b - D_a) / (D_b + D_a) in [-1, 1]; NaN for an empty book."""
    total = bid + ask
    return (bid - ask) / total if total > 0.0 else math.nan
