"""What Bitget's cold channels and replies say, as facts. Facts as of 2026-11-22; what the fields mean is in `bitget_usdt`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Fact
from monitor.venues.reading import Reader, Record, given

LIQUIDATED: Final[dict[str, facts.Position]] = {"buy": "long", "sell": "short"}
# By their names: under `limit_open` and `limit_close` orders are restricted on one side, and the book lives.
TRADING: Final = ("online", "limit_open", "limit_close")


def figures(reader: Reader, row: Record, at: int) -> list[Fact]:
    symbol = reader.market
    found: list[Fact] = []
    if (mark := reader.positive_if_given(row, "markPrice")) is not None:
        found.append(facts.MarkPrice(symbol, mark, at))
    if (index := reader.positive_if_given(row, "indexPrice")) is not None:
        found.append(facts.IndexPrice(symbol, index, at))
    if given(row, "fundingRate"):
        due = reader.time_if_given(row, "nextFundingTime")
        found.append(facts.Funding(symbol, reader.decimal(row, "fundingRate"), due, None, at))
    if given(row, "openInterest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(row, "openInterest"), None, at))
    return found


def liquidation(reader: Reader, row: Record, coverage: facts.Coverage) -> Fact:
    price = reader.positive(row, "price")
    return facts.Liquidation(
        symbol=reader.text(row, "symbol"),
        position=reader.choice(row, "side", LIQUIDATED),
        quantity=reader.positive(row, "amount") / price,  # `amount` is in the quote currency
        price=price,
        price_kind="bankruptcy",
        venue_time=reader.time(row, "ts"),
        coverage=coverage,
    )


def changed(reader: Reader, row: Record, at: int) -> Fact:
    status = reader.text(row, "status")
    return facts.InstrumentChanged(reader.text(row, "symbol"), status in TRADING, status, at)


def margin_tiers(reader: Reader, rows: Sequence[Record], at: int) -> Fact:
    """Values of a position in the quote currency. No deduction is given: read so that the whole position takes its tier's ratio (not confirmed)."""
    found = tuple(
        facts.MarginTier(
            floor=reader.decimal(row, "minTierValue"),
            cap=reader.positive(row, "maxTierValue"),
            maintenance_ratio=reader.positive(row, "mmr"),
            max_leverage=reader.positive(row, "leverage"),
        )
        for row in sorted(rows, key=lambda row: reader.decimal(row, "minTierValue"))
    )
    if not found or found[0].floor != Decimal(0):
        raise reader.refused("the tiers do not begin at 0")
    return facts.MarginTiers(reader.market, found, "quote", whole=True, venue_time=at)
