"""Depth bands as asked for, and as reported."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from engines.book.sums import COLUMNS
from engines.book.worth import RawSums

Side = Literal["bid", "ask"]
Basis = Literal["live", "snapshot", "floor"]
Reference = Literal["mid", "best"]

SIDES: Final[tuple[Side, Side]] = ("bid", "ask")
BASES: Final[tuple[Basis | None, ...]] = (None, "live", "snapshot", "floor")  # index = the BASIS column of `measure`

# Edges are computed in int64: half ticks (up to 2^32) times denominator; 10^7 leaves room and allows 0.00001%.
MAX_DENOMINATOR: Final = 10**7


def parse_band(text: str) -> Fraction:
    """`"0.25%"` as a fraction of 1, exactly.

    Raises:
        ValueError: not a percentage above 0 and up to 100, or with more than five decimals.
    """
    if not text.endswith("%"):
        raise ValueError(f"a band is a percentage like 0.25%, got {text!r}")
    try:
        band = Fraction(text[:-1].strip()) / 100
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"a band is a percentage like 0.25%, got {text!r}") from None
    if not 0 < band <= 1 or band.denominator > MAX_DENOMINATOR:
        raise ValueError(f"a band lies above 0 and up to 100%, with at most five decimals, got {text!r}")
    return band


class BandSet:
    """Bands in the order given, parsed once. `ratios`: int64[2 n], numerator and denominator of each (read-only).

    places: (side, band), all bids first.

    sums: int64[2, n, COLUMNS], where the kernels leave a book's integers; one thread at a time.
    """

    __slots__ = ("fractions", "names", "places", "ratios", "sums")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.places: tuple[tuple[Side, str], ...] = tuple(product(SIDES, self.names))
        self.fractions = tuple(parse_band(name) for name in names)
        ratios: npt.NDArray[np.int64] = np.array(
            [part for band in self.fractions for part in (band.numerator, band.denominator)], np.int64
        )
        ratios.flags.writeable = False
        self.ratios = ratios
        self.sums: npt.NDArray[np.int64] = np.zeros((2, len(self.names), COLUMNS), np.int64)

    def __len__(self) -> int:
        return len(self.names)


class BandFigure(NamedTuple):
    """One side within one band.

    raw: what the ladder holds, known or not. published: what may be said, by `basis`; both None where nothing may.
    truncated: the edge lies beyond the verified reach, so `raw` is a lower bound only.
    """

    side: Side
    band: str
    edge: int
    raw: RawSums
    published: RawSums | None
    basis: Basis | None
    truncated: bool


class BandReport(NamedTuple):
    """Both sides' bands at one moment. `half_ticks`: the mid times two."""

    at: int
    half_ticks: int
    reference: Reference
    bid: tuple[BandFigure, ...]
    ask: tuple[BandFigure, ...]

    def side(self, side: Side) -> tuple[BandFigure, ...]:
        return self.bid if side == "bid" else self.ask


class Cost(NamedTuple):
    """What an order of `notional` quote units would do. NaN: the known levels do not hold it.

    Prices in quote currency; slippage and impact are ratios of the reference price; `base`: coins.
    """

    notional: float
    vwap: float
    worst: float
    slippage: float
    impact: float
    base: float


class Top(NamedTuple):
    """Best levels in ticks and lots."""

    bid_tick: int
    bid_lots: int
    ask_tick: int
    ask_lots: int
