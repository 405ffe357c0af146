"""How much of a position is sold at once (models.md 2.6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from engines.kernel import F64, kernel


@kernel(F64(F64, F64, F64, F64, F64))
def fraction_to_restore(equity: float, notional: float, rate: float, deduction: float, cost: float) -> float:
    """The smallest share of a position whose closing restores the margin, within one bracket; clipped to 0..1.

    f = (N mmr - cum - E) / (N (mmr - c)), where closing costs `cost` (fee and slippage) per unit of notional. A cost of mmr or more
    eats margin faster than closing frees it: everything is closed, 1. NaN: the notional is not positive or a figure is unknown.
    """
    missing = notional * rate - deduction - equity
    if not notional > 0.0 or math.isnan(missing) or math.isnan(cost):
        return math.nan
    if missing <= 0.0:
        return 0.0
    freed = notional * (rate - cost)
    return 1.0 if freed <= missing else missing / freed


@dataclass(frozen=True, slots=True)
class Release:
    """How a venue family sends a triggered cohort to its book.

    at_once: the share that goes when it triggers (phi). The rest follows as the mark goes on, or after a pause (30 s on Hyperliquid), and is
        not in what a sale sets off at once.
    """

    at_once: float


# Priors of models.md 2.6, to be calibrated. Binance sends one large order first; OKX steps its upper tiers down; Hyperliquid sends a
# fifth of large positions and waits 30 s.
RELEASES: Final[dict[str, Release]] = {
    "binance": Release(1.0),
    "okx": Release(0.5),
    "bybit": Release(0.7),
    "hyperliquid": Release(0.2),
}
OTHERWISE: Final = Release(1.0)  # nothing is documented: all at once, the worst for the book


def release_of(venue: str) -> Release:
    """The prior of a venue by its name or its family's: "okx_swap" is of "okx"."""
    return RELEASES.get(venue.partition("_")[0], OTHERWISE)
