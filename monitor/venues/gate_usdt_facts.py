"""What Gate's cold channels and replies say, as facts. Facts as of 2026-11-22; what the fields mean is in `gate_usdt`."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from engines.wire.grammar import MILLISECOND
from monitor import facts
from monitor.facts import Fact
from monitor.venues.reading import Reader, Record, given

SECOND: Final = 1_000_000_000
MILLISECONDS_FROM: Final = 10**11  # a time as large is in milliseconds: in seconds it would be the year 5138


def status_of(reader: Reader, row: Record) -> tuple[bool, str]:
    status = "delisting" if row.get("in_delisting") is True else reader.text(row, "status")
    return status == "trading", status


def changed(reader: Reader, row: Record) -> Fact:
    trading, status = status_of(reader, row)
    return facts.InstrumentChanged(reader.text(row, "name"), trading, status, 0)


def figures(reader: Reader, row: Record, at: int) -> list[Fact]:
    """Mark, index, funding and open interest of a ticker; a field that is missing stays as it was."""
    symbol = reader.text(row, "contract")
    found: list[Fact] = []
    if (mark := reader.positive_if_given(row, "mark_price")) is not None:
        found.append(facts.MarkPrice(symbol, mark, at))
    if (index := reader.positive_if_given(row, "index_price")) is not None:
        found.append(facts.IndexPrice(symbol, index, at))
    if given(row, "funding_rate"):
        due = reader.time_if_given(row, "funding_next_apply", SECOND)
        interval = reader.integer(row, "funding_interval") if given(row, "funding_interval") else 0
        rate = reader.decimal(row, "funding_rate")
        found.append(facts.Funding(symbol, rate, due, interval if interval > 0 else None, at))
    if given(row, "total_size"):
        found.append(facts.OpenInterest(symbol, reader.decimal(row, "total_size"), None, at))
    return found


def margin_tiers(reader: Reader, rows: Sequence[Record]) -> Fact:
    """`risk_limit` is the value of a position at the tier's end; margin = value * maintenance_rate - deduction."""
    tiers: list[facts.MarginTier] = []
    floor = Decimal(0)
    for row in sorted(rows, key=lambda row: reader.positive(row, "risk_limit")):
        cap = reader.positive(row, "risk_limit")
        leverage, deduction = reader.positive(row, "leverage_max"), reader.decimal(row, "deduction")
        tiers.append(facts.MarginTier(floor, cap, reader.positive(row, "maintenance_rate"), leverage, deduction))
        floor = cap
    if not tiers:
        raise reader.refused("no tiers")
    return facts.MarginTiers(reader.market, tuple(tiers), "quote", whole=False, venue_time=0)


def liquidation(reader: Reader, row: Record, coverage: facts.Coverage) -> Fact:
    size = reader.decimal(row, "size")
    if size == 0:
        raise reader.refused("size is 0")
    # `time_ms` where it is given; `time` counts milliseconds since August 2026, and seconds before.
    key = "time_ms" if given(row, "time_ms") else "time"
    unit = MILLISECOND if reader.integer(row, key) >= MILLISECONDS_FROM else SECOND
    return facts.Liquidation(
        symbol=reader.text(row, "contract"),
        position="long" if size > 0 else "short",
        quantity=abs(size),
        price=reader.positive(row, "price"),
        price_kind="order",
        venue_time=reader.time(row, key, unit),
        coverage=coverage,
    )
