"""Kraken Futures' cold facts: a ticker's figures, prints that are liquidations, margin levels, flags of stress.

What the fields mean is in `kraken_futures`. Every function takes a record read by `Reader.load_exact`, with decimals as Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, Literal

from monitor import facts
from monitor.facts import Fact
from monitor.venues.reading import Reader, Record, given, shown

HOUR: Final = 3600  # funding is hourly
NOTICE_KEPT: Final = 60_000_000_000  # ns; three polls of the status
TRADED, SUSPENDED, POST_ONLY = "trading", "suspended", "post only"
KINDS: Final[Mapping[str, Literal["linear", "inverse"]]] = {"flexible_futures": "linear", "futures_inverse": "inverse"}
# Prints that close a position by force. The latter two hand it to liquidity providers, outside the book.
FORCED: Final[Mapping[str, facts.LiquidationKind]] = {
    "liquidation": "liquidation", "termination": "takeover", "assignment": "takeover",
}  # fmt: skip
CLOSED_BY: Final[Mapping[str, facts.Position]] = {"sell": "long", "buy": "short"}


def symbol_of(reader: Reader, row: Record, key: str) -> str:
    """The socket's spelling; some REST replies are in lower case."""
    symbol = reader.text(row, key)
    return symbol.upper() if symbol.islower() else symbol


def status_of(reader: Reader, suspended: object, post_only: object) -> str:
    """What two flags of a product say together."""
    if not isinstance(suspended, bool) or not isinstance(post_only, bool):
        raise reader.refused("a flag is neither true nor false")
    return SUSPENDED if suspended else POST_ONLY if post_only else TRADED


def ticker(reader: Reader, message: Record) -> list[Fact]:
    symbol, at = reader.market, reader.time(message, "time")
    found: list[Fact] = []
    for key, fact in (("markPrice", facts.MarkPrice), ("index", facts.IndexPrice)):
        if given(message, key) and reader.decimal(message, key) != 0:  # 0: there is none yet
            found.append(fact(symbol, reader.positive(message, key), at))
    if given(message, "relative_funding_rate"):  # dated products have none
        due = given(message, "next_funding_rate_time") and reader.integer(message, "next_funding_rate_time") != 0
        next_time = reader.time(message, "next_funding_rate_time") if due else None
        found.append(facts.Funding(symbol, reader.decimal(message, "relative_funding_rate"), next_time, HOUR, at))
    if given(message, "openInterest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(message, "openInterest"), None, at))
    status = status_of(reader, message.get("suspended", False), message.get("post_only", False))
    found.append(facts.InstrumentChanged(symbol, status == TRADED, status, at))
    return found


def liquidations(reader: Reader, message: Record, coverage: facts.Coverage) -> list[Fact]:
    """The print, where it is one; a snapshot of trades is history."""
    if message.get("feed") != "trade" or str(message.get("type")) not in FORCED:
        return []
    return [
        facts.Liquidation(
            symbol=reader.market,
            position=reader.choice(message, "side", CLOSED_BY),
            quantity=reader.positive(message, "qty"),
            price=reader.positive(message, "price"),
            price_kind="fill",
            venue_time=reader.time(message, "time"),
            coverage=coverage,
            kind=reader.choice(message, "type", FORCED),
        )
    ]


def margin_tiers(reader: Reader, row: Record) -> Fact:
    """The levels of one product of the listing; each holds from its threshold up to the next one's."""
    symbol = symbol_of(reader, row, "symbol")
    reader = Reader(reader.venue, reader.channel, symbol)
    inverse = reader.choice(row, "type", KINDS) == "inverse"
    levels = reader.rows(row, "marginLevels")
    floors = [reader.decimal(level, "contracts" if inverse else "numNonContractUnits") for level in levels]
    if not floors or floors[0] != 0 or any(low >= high for low, high in pairwise(floors)):
        raise reader.refused("marginLevels do not rise from 0")
    tiers = []
    for floor, cap, level in zip(floors, [*floors[1:], None], levels, strict=True):
        leverage = 1 / reader.positive(level, "initialMargin")
        tiers.append(facts.MarginTier(floor, cap, reader.positive(level, "maintenanceMargin"), leverage))
    return facts.MarginTiers(symbol, tuple(tiers), "contracts" if inverse else "quote", whole=True, venue_time=0)


def stress(reader: Reader, row: Record, at: int) -> list[Fact]:
    """Notices about one product. They end by themselves when the next polls do not repeat them."""
    symbol = symbol_of(reader, row, "tradeable")
    found: list[Fact] = []
    if row.get("experiencingDislocation") is True:
        where = str(row.get("priceDislocationDirection") or "direction not told").lower().replace("_", " ")
        text = shown(f"{symbol} price is dislocated: {where}")
        found.append(facts.VenueNotice(text, True, at, at + NOTICE_KEPT, at, f"dislocation {symbol}", symbol))
    if row.get("experiencingExtremeVolatility") is True:
        times = row.get("extremeVolatilityInitialMarginMultiplier")
        text = shown(f"{symbol} is in extreme volatility: initial margin x {times}")
        found.append(facts.VenueNotice(text, True, at, at + NOTICE_KEPT, at, f"volatility {symbol}", symbol))
    return found
