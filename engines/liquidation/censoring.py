"""What a feed that shows at most one print a slot says about all liquidations (models.md 3.5): an interval, not a number.

Both rules assume arrivals that are independent inside a slot. In a burst every slot shows a print and the rate diverges, so rates
are capped, and two other views bound the answer: the fall of open interest, and the complete feeds scaled by open interest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_EULER: Final = 0.5772156649015328606
_SERIES_UP_TO: Final = 2.0
_TERMS: Final = 200
DEFAULT_CAP: Final = 5.0  # arrivals a slot; from there on 99.3% of the slots show a print and the share tells no more


class Rule(StrEnum):
    """Which print of a slot the venue shows."""

    LATEST = "latest"  # a pick without regard to size
    LARGEST = "largest"  # sizes taken as exponential


@dataclass(frozen=True, slots=True)
class Estimate:
    """Liquidated notional (or quantity) of a window; `low` is what was printed, so it is certain. low <= base <= high.

    `capped`: every slot, or nearly, showed a print; then base and high are no more than a bound by the cap.
    """

    low: float
    base: float
    high: float
    capped: bool


NOTHING_KNOWN: Final = Estimate(math.nan, math.nan, math.nan, False)


def exponential_integral(z: float) -> float:
    """E1(z) for z > 0, relative error below 1e-13; NaN otherwise. Series up to 2, continued fraction above (Lentz)."""
    if not z > 0.0:
        return math.nan
    if z <= _SERIES_UP_TO:
        total, term = 0.0, 1.0
        for k in range(1, _TERMS):
            term *= -z / k
            total -= term / k
            if abs(term) < 1e-17 * abs(total):
                break
        return -_EULER - math.log(z) + total
    if z > 700.0:
        return 0.0
    b = z + 1.0
    c, d = 1e300, 1.0 / b
    h = d
    for k in range(1, _TERMS):
        a = -k * k
        b += 2.0
        d = 1.0 / (a * d + b)
        c = b + a / c
        change = c * d
        h *= change
        if abs(change - 1.0) < 1e-15:
            break
    return h * math.exp(-z)


def ein(z: float) -> float:
    """Ein(z) = gamma + ln z + E1(z), the mean of the largest of Poisson(z) exponential sizes, times P(any) over their mean."""
    if not z >= 0.0:
        return math.nan
    if z <= _SERIES_UP_TO:  # the logarithms cancel: sum of (-1)^(k+1) z^k / (k k!)
        total, term = 0.0, 1.0
        for k in range(1, _TERMS):
            term *= -z / k
            total -= term / k
            if abs(term) < 1e-17 * abs(total):
                break
        return total
    return _EULER + math.log(z) + exponential_integral(z)


def arrival_rate(share: float, slot_seconds: float, cap: float = DEFAULT_CAP) -> float:
    """lambda = -ln(1 - p)/dt per second, from the share p of slots with a print; at most cap/dt. NaN for impossible input."""
    if not (0.0 <= share <= 1.0 and slot_seconds > 0.0):
        return math.nan
    return min(cap, -math.log1p(-share) if share < 1.0 else math.inf) / slot_seconds


def mean_size(rule: Rule, shown_mean: float, rate: float, slot_seconds: float) -> float:
    """The mean of all sizes from the mean of the shown ones, at `rate` arrivals a second."""
    expected = rate * slot_seconds
    if rule is Rule.LATEST or expected == 0.0:
        return shown_mean
    return shown_mean * -math.expm1(-expected) / ein(expected)


def uncensored_rate(
    rule: Rule, share: float, shown_mean: float, slot_seconds: float, cap: float = DEFAULT_CAP
) -> float:
    """Notional a second behind a feed of one print a slot; NaN for impossible input."""
    rate = arrival_rate(share, slot_seconds, cap)
    return rate * mean_size(rule, shown_mean, rate, slot_seconds)


def uncensor(
    prints: int,
    shown: float,
    window_seconds: float,
    slot_seconds: float,
    rule: Rule,
    open_interest_drop: float = math.nan,
    complete_sum: float = math.nan,
    open_interest_ratio: float = math.nan,
    cap: float = DEFAULT_CAP,
) -> Estimate:
    """All liquidations of a window from `prints` prints that sum to `shown` (one side, one market).

    Cross-checks, NaN where unknown: the fall of open interest over the window (a liquidation that nobody takes over closes a
    contract), and the sum of complete feeds with the ratio of this market's open interest to theirs. `base` follows the rule; the
    checks move it only in a burst, where the rule ends at its cap. `high` is the largest view, `low` what was printed.
    """
    slots = window_seconds / slot_seconds if slot_seconds > 0.0 else math.nan
    if not (prints >= 0 and 0.0 <= shown < math.inf and slots >= 1.0) or (prints == 0) != (shown == 0.0):
        return NOTHING_KNOWN
    scaled = complete_sum * open_interest_ratio
    views = [view for view in (open_interest_drop, scaled) if view >= 0.0 and math.isfinite(view)]
    if prints == 0:
        # No slot showed a print: there was none, up to what the complete feeds say.
        return Estimate(0.0, 0.0, scaled if scaled >= 0.0 and math.isfinite(scaled) else 0.0, False)
    share = min(1.0, prints / slots)
    capped = share >= -math.expm1(-cap)
    ruled = max(shown, uncensored_rate(rule, share, shown / prints, slot_seconds, cap) * window_seconds)
    base = ruled if not capped else max([shown, *views]) if views else ruled
    return Estimate(shown, base, max([base, ruled, *views]), capped)
