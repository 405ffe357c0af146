"""What KuCoin's replies say, as facts. Facts as of 2026-11-22; what the fields mean is in `kucoin_futures`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Fact
from monitor.venues.reading import Reader, Record, given, shown

TRADED: Final = "Open"
OVER: Final = 1  # ns: a time long past, which ends a notice
# Tells a linear contract by its name.
LINEAR: Final = re.compile(r".*USD[TC]M")


def figures(reader: Reader, row: Record) -> list[Fact]:
    """Status, open interest and funding of one contract of the listing."""
    symbol, status = reader.text(row, "symbol"), reader.text(row, "status")
    found: list[Fact] = [facts.InstrumentChanged(symbol, status == TRADED, status, 0)]
    if given(row, "openInterest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(row, "openInterest"), None, 0))
    if given(row, "fundingFeeRate"):  # dated contracts have none
        # `nextFundingRateTime` is a countdown.
        due = reader.time(row, "nextFundingRateDateTime") if given(row, "nextFundingRateDateTime") else None
        interval = reader.integer(row, "fundingRateGranularity") if given(row, "fundingRateGranularity") else 0
        seconds = interval // 1000 if interval >= 1000 else None
        found.append(facts.Funding(symbol, _rate(reader, row), due, seconds, 0))
    return found


def _rate(reader: Reader, row: Record) -> Decimal:
    """A bare decimal of a reply too long to be read exactly each minute: a float of up to 15 digits prints as what was sent."""
    value = row["fundingFeeRate"]
    if isinstance(value, float) and abs(value) < 1:
        return Decimal(repr(value))
    return reader.decimal(row, "fundingFeeRate")


def service(reader: Reader, data: Record) -> Fact:
    """Whether the whole venue trades. A notice holds until another reply says `open`."""
    status = reader.text(data, "status")
    said = str(data.get("msg") or "")
    works = status == "open"
    text = shown(f"KuCoin Futures is {status}" + (f": {said}" if said else ""))
    return facts.VenueNotice(text, not works, None, OVER if works else None, 0, key="service")


def margin_tiers(reader: Reader, rows: Sequence[Record]) -> Fact:
    """Risk limits: the value of a position in the quote currency, or in coins where the contract is inverse."""
    tiers: list[facts.MarginTier] = []
    reached = Decimal(0)
    for row in sorted(rows, key=lambda row: reader.decimal(row, "minRiskLimit")):
        reader.expect(row, "symbol", reader.market)
        floor, cap = reader.decimal(row, "minRiskLimit"), reader.positive(row, "maxRiskLimit")
        if floor != reached or cap <= floor:
            raise reader.refused("the risk limits do not join from 0")
        reached = cap
        ratio, leverage = reader.positive(row, "maintainMargin"), reader.positive(row, "maxLeverage")
        tiers.append(facts.MarginTier(floor, cap, ratio, leverage))
    if not tiers:
        raise reader.refused("no risk limits")
    unit = "quote" if LINEAR.fullmatch(reader.market) else "base"
    return facts.MarginTiers(reader.market, tuple(tiers), unit, whole=True, venue_time=0)  # type: ignore[arg-type]
