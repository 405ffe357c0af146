"""Maintenance margin brackets of Binance futures: as the venue lists them to those with a key, and those known without one.

The venue changes brackets often; what it says, on its `contractInfo` stream or to a key, wins over what is kept here.
USD-M: the two largest markets, as third parties read them with a key in April 2026. COIN-M: the venue's own page shows one bracket,
the lowest of the bitcoin perpetual (page read on 2026-09-17); what holds above 50 BTC is not known.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final, Literal

from monitor.facts import MarginTier, MarginTiers
from monitor.venues.reading import Reader, Record

USDM_READ_ON: Final = date(2026, 4, 1)  # known to the month
COINM_READ_ON: Final = date(2026, 9, 17)
COINM_LOWEST: Final[dict[str, MarginTier]] = {
    "BTCUSD_PERP": MarginTier(Decimal(0), Decimal(50), Decimal("0.004"), Decimal(125), Decimal(0)),
}
# Maintenance ratio and highest leverage are the same for both; by market only the caps of notional (USDT) differ.
RATIOS: Final = (
    "0.004", "0.005", "0.0065", "0.01", "0.02", "0.025", "0.05", "0.1", "0.125", "0.15", "0.25", "0.5",
)  # fmt: skip
LEVERAGES: Final = (150, 100, 75, 50, 25, 20, 10, 5, 4, 3, 2, 1)
MILLION: Final = 1_000_000
CAPS: Final[dict[str, tuple[int, ...]]] = {
    "BTCUSDT": (
        300_000, 800_000, 3 * MILLION, 12 * MILLION, 70 * MILLION, 100 * MILLION, 230 * MILLION, 480 * MILLION, 600 * MILLION,
        800 * MILLION, 1_200 * MILLION, 1_800 * MILLION,
    ),
    "ETHUSDT": (
        300_000, 800_000, 3 * MILLION, 12 * MILLION, 50 * MILLION, 65 * MILLION, 150 * MILLION, 320 * MILLION, 400 * MILLION,
        530 * MILLION, 800 * MILLION, 1_200 * MILLION,
    ),
}  # fmt: skip


# By unit: the names under which the venue lists floor and cap ("qtylFloor" is its own spelling).
EDGES: Final = {"quote": ("notionalFloor", "notionalCap"), "base": ("qtylFloor", "qtyCap")}


def listed_brackets(reader: Reader, row: Record, unit: Literal["quote", "base"]) -> MarginTiers:
    """One market of a reply of `leverageBracket`. `notionalCoef`, a multiplier of the asking account alone, is left out.

    Raises:
        FrameError: brackets that do not join from 0, or not all of a bracket.
    """
    symbol = reader.text(row, "symbol")
    reader = Reader(reader.venue, reader.channel, symbol)
    floor_key, cap_key = EDGES[unit]
    tiers = [
        MarginTier(
            floor=reader.decimal(bracket, floor_key),
            cap=reader.positive(bracket, cap_key),
            maintenance_ratio=reader.positive(bracket, "maintMarginRatio"),
            max_leverage=reader.positive(bracket, "initialLeverage"),
            deduction=reader.decimal(bracket, "cum"),
        )
        for bracket in reader.rows(row, "brackets")
    ]
    tiers.sort(key=lambda tier: tier.floor)
    reached: Decimal | None = Decimal(0)
    for tier in tiers:
        if tier.floor != reached or tier.cap is None or tier.cap <= tier.floor:
            raise reader.refused("brackets do not join from 0")
        reached = tier.cap
    if not tiers:
        raise reader.refused("no brackets")
    return MarginTiers(symbol, tuple(tiers), unit, whole=False, venue_time=0)


def documented_usdm(symbol: str) -> MarginTiers | None:
    """None for every other market: their brackets differ and are not known here."""
    caps = CAPS.get(symbol)
    return None if caps is None else MarginTiers(symbol, _tiers(caps), "quote", False, 0, USDM_READ_ON)


def documented_coinm(symbol: str) -> MarginTiers | None:
    """None where the venue's page shows nothing."""
    lowest = COINM_LOWEST.get(symbol)
    return None if lowest is None else MarginTiers(symbol, (lowest,), "base", False, 0, COINM_READ_ON)


def _tiers(caps: tuple[int, ...]) -> tuple[MarginTier, ...]:
    """The deduction makes the margin continuous: that of the bracket before, plus floor x (ratio - ratio before)."""
    tiers: list[MarginTier] = []
    floor = deduction = before = Decimal(0)
    for cap, text, leverage in zip(caps, RATIOS, LEVERAGES, strict=True):
        ratio = Decimal(text)
        deduction += floor * (ratio - before) if tiers else Decimal(0)
        tiers.append(MarginTier(floor, Decimal(cap), ratio, Decimal(leverage), deduction))
        floor, before = Decimal(cap), ratio
    return tuple(tiers)
