"""Quantiles of many integers, by name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil


def quantiles(values: Iterable[int], shares: Sequence[float]) -> dict[str, float]:
    """{"p50": ..., "p99": ..., "max": ...}: the smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    if not ordered:
        return {}
    return {_name(share): float(ordered[max(0, ceil(share * len(ordered)) - 1)]) for share in shares}


def _name(share: float) -> str:
    return "max" if share == 1.0 else f"p{share * 100:g}"
