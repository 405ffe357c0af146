"""What a quote currency is worth in US dollars, and how we know.

A configured number wins. Else a fiat venue's pair tells it: a spot market of the currency against USD whose book is verified.
Else dollar stablecoins are taken at par, and anything else is unknown.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from monitor.clock import SECOND
from monitor.views import FxView

ASSUMED: Final = "assumed"
CONFIGURED: Final = "settings"
AT_PAR: Final = ("USDT", "USDC")
KEPT: Final = 60 * SECOND  # a price that nobody has confirmed for longer tells no rate (models.md: fx staleness)
WIDEST: Final = 0.01  # the mid of a wider spread is no rate; pairs of fiat and stablecoins trade within 0.1%
MAJORITY: Final = 3  # of fewer sources that disagree nobody can say which one is wrong
MUCH_TIGHTER: Final = 4  # times; spreads of good venues differ by less for long, and a flap needs this much each way


class Pair(NamedTuple):
    """A currency's price in dollars on one venue, of a verified book."""

    currency: str
    venue: str
    market: str
    mid: float
    spread: float  # ratio
    at: int  # the second in which the book was last verified, written by `FxRates.update`


class FxRates:
    """USD per unit of a quote currency. USD is 1; a currency nobody told us about is unknown (None), not 1.

    Rates change in `update` alone, once a second, so that everything between two seconds is counted at one rate.
    """

    def __init__(self, fixed: Mapping[str, float]) -> None:
        self._fixed = {currency.upper(): rate for currency, rate in fixed.items()}
        self._told: dict[str, Pair] = {}
        self._used: set[str] = set()

    def rate(self, currency: str) -> float | None:
        if currency == "USD":
            return 1.0
        self._used.add(currency)
        known = self._known(currency)
        return known[0] if known else None

    def update(self, pairs: Iterable[Pair], at: int) -> None:
        """The pairs whose books are verified at `at`, in the order in which ties are broken.

        A verified book is as good as new however long nothing has changed in it. A source is kept as long as it is good, so
        that no rate flaps between two venues; one that most others contradict, or that is much wider than another, is left. A
        lost one's last price counts until it is too old or another source is there.
        """
        good: dict[str, list[Pair]] = {}
        for pair in pairs:
            if pair.spread <= WIDEST:
                good.setdefault(pair.currency, []).append(pair._replace(at=at))
        for currency, found in good.items():
            self._told[currency] = _chosen(found, self._told.get(currency))
        for currency in [c for c, pair in self._told.items() if at - pair.at > KEPT]:
            del self._told[currency]

    def _known(self, currency: str) -> tuple[float, str] | None:
        if currency in self._fixed:
            return self._fixed[currency], CONFIGURED
        if currency in self._told:
            return self._told[currency].mid, self._told[currency].venue
        return (1.0, ASSUMED) if currency in AT_PAR else None

    def views(self) -> tuple[FxView, ...]:
        """The currencies somebody asked for and that are known."""
        known = ((currency, self._known(currency)) for currency in sorted(self._used))
        return tuple(FxView(currency, *found) for currency, found in known if found is not None)


def _chosen(found: Sequence[Pair], last: Pair | None) -> Pair:
    """The source to take, of at least one: the last one if nothing speaks against it, else the tightest."""
    sound = _uncontradicted(found) or found
    tightest = min(sound, key=lambda pair: pair.spread)
    same = (p for p in sound if last is not None and (p.venue, p.market) == (last.venue, last.market))
    kept = next(same, tightest)
    return kept if kept.spread <= MUCH_TIGHTER * tightest.spread else tightest


def _uncontradicted(found: Sequence[Pair]) -> list[Pair]:
    """Those no further from the median of all than their own spread and the usual one explain."""
    if len(found) < MAJORITY:
        return list(found)
    middle = statistics.median(pair.mid for pair in found)
    usual = statistics.median(pair.spread for pair in found)
    return [pair for pair in found if abs(pair.mid - middle) <= (pair.spread + usual) * middle]
