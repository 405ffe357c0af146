"""Why a cascade figure is not there, or what to know of one that is."""

from __future__ import annotations

from typing import Final

OK: Final = 0
NO_LIQUIDATIONS: Final = 1  # nothing can be forced in range: figures are there, and no sale ignites
NOT_ABSORBED: Final = (
    2  # the sale ends beyond the farthest price: no landing, and what is forced is at least the figure
)
NOT_CONVERGED: Final = 3  # the arbitrage loop had no more rounds; its figures are those of the last one
NO_DEPTH: Final = 10  # nobody stands on this side of any venue
BAD_PRICE: Final = 11  # not a positive number
BAD_CURVE: Final = 12  # NaN, infinite, falling, or not starting at 0
BAD_SALE: Final = 13  # not a positive number, or more US dollars than the book could ever pay
BAD_SETTINGS: Final = 14  # a scaling, share, weight, band, volume or floor that is negative or NaN

NAMES: Final = {
    OK: "ok",
    NO_LIQUIDATIONS: "no_liquidations",
    NOT_ABSORBED: "not_absorbed",
    NOT_CONVERGED: "not_converged",
    NO_DEPTH: "no_depth",
    BAD_PRICE: "bad_price",
    BAD_CURVE: "bad_curve",
    BAD_SALE: "bad_sale",
    BAD_SETTINGS: "bad_settings",
}
FIRST_WITHOUT_FIGURES: Final = NO_DEPTH  # from this code on every figure is NaN
