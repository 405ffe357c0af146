"""Hyperliquid's listing and cold facts: coins, margin tables, contexts, fills that met a liquidation, the state of the exchange.

What the fields mean is in `hyperliquid`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Final

from monitor import facts
from monitor.facts import Fact, Instrument
from monitor.venues.packing import read_listing
from monitor.venues.reading import Reader, Record, dumps, given, shown

HOUR: Final = 3600  # funding is paid every hour
PRICE_DECIMALS: Final = 6  # of a perpetual's price and size together
OWN_TABLE: Final = 50  # a margin table of a smaller number is one tier of that leverage
NOTICE_KEPT: Final = 60_000_000_000  # ns; three polls of the status
STATUS: Final = "special status"
USDC: Final = 0  # its token number
THOUSAND: Final = re.compile(r"k([0-9A-Z]+)")
# A watched account's side of a fill that closed somebody else's position: what it bought, a long sold.
MET: Final[Mapping[str, facts.Position]] = {"B": "long", "A": "short"}
OWN: Final[Mapping[str, facts.Position]] = {"A": "long", "B": "short"}
METHODS: Final[Mapping[str, facts.LiquidationKind]] = {"market": "liquidation", "backstop": "takeover"}
DELEVERAGED: Final = "Auto-Deleveraging"


def first_dex(reader: Reader, body: bytes) -> Record:
    meta = reader.record(reader.load(body))
    if given(meta, "collateralToken") and reader.integer(meta, "collateralToken") != USDC:
        raise reader.refused("collateralToken is not USDC's: another dex")
    return meta


def instrument(reader: Reader, row: Record) -> Instrument:
    symbol = reader.text(row, "name")
    reader = Reader(reader.venue, reader.channel, symbol)
    decimals = reader.integer(row, "szDecimals")
    if not 0 <= decimals <= PRICE_DECIMALS:
        raise reader.refused(f"szDecimals leaves no decimals for the price: {decimals}")
    delisted = row.get("isDelisted")
    if delisted is not None and not isinstance(delisted, bool):
        raise reader.refused("isDelisted is neither true nor false")
    thousand = THOUSAND.fullmatch(symbol)
    return Instrument(
        venue=reader.venue,
        symbol=symbol,
        asset=thousand[1] if thousand else symbol,
        quote="USDC",
        settle="USDC",
        contract_type="linear",
        tick_size=Decimal(1).scaleb(decimals - PRICE_DECIMALS),
        lot_size=Decimal(1).scaleb(-decimals),
        unit_multiplier=1000 if thousand else 1,
        trading=not delisted,
        status="delisted" if delisted else "trading",
        funding_interval_seconds=HOUR,
    )


def margin_tiers(reader: Reader, meta: Record) -> list[facts.MarginTiers]:
    """Of every coin that is listed; a coin names its table by number."""
    tables: dict[object, Record] = {}
    pairs = meta.get("marginTables", [])
    for pair in pairs if isinstance(pairs, list) else []:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], int):
            raise reader.refused(f"marginTables holds no pair of number and table: {shown(str(pair))!r}")
        tables[pair[0]] = reader.record(pair[1], "a margin table")
    rows = [row for row in reader.rows(meta, "universe") if row.get("isDelisted") is not True]
    return read_listing(rows, lambda row: _tiers_of(reader, row, tables))


def _tiers_of(reader: Reader, row: Record, tables: Mapping[object, Record]) -> facts.MarginTiers:
    symbol = reader.text(row, "name")
    reader = Reader(reader.venue, reader.channel, symbol)
    number = reader.integer(row, "marginTableId")
    if number in tables:
        levels = reader.rows(tables[number], "marginTiers")
        steps = [(reader.decimal(level, "lowerBound"), reader.positive(level, "maxLeverage")) for level in levels]
    elif 0 < number < OWN_TABLE:
        steps = [(Decimal(0), Decimal(number))]
    else:
        raise reader.refused(f"there is no margin table {number}")
    floors = [floor for floor, _ in steps]
    if not floors or floors[0] != 0 or any(low >= high for low, high in pairwise(floors)):
        raise reader.refused(f"margin table {number} does not rise from 0")
    tiers: list[facts.MarginTier] = []
    deduction = ratio_below = Decimal(0)
    for (floor, leverage), cap in zip(steps, [*floors[1:], None], strict=True):
        ratio = 1 / (2 * leverage)
        deduction += floor * (ratio - ratio_below)
        ratio_below = ratio
        tiers.append(facts.MarginTier(floor, cap, ratio, leverage, deduction))
    return facts.MarginTiers(symbol, tuple(tiers), "quote", whole=False, venue_time=0)


def context(reader: Reader, row: Record) -> list[Fact]:
    """Mark, index, hourly funding, open interest in coins of one side. The venue says no time."""
    symbol = reader.market
    found: list[Fact] = [
        facts.MarkPrice(symbol, reader.positive(row, "markPx"), 0),
        facts.Funding(symbol, reader.decimal(row, "funding"), None, HOUR, 0),
        facts.OpenInterest(symbol, reader.decimal(row, "openInterest"), None, 0),
    ]
    if given(row, "oraclePx"):
        found.append(facts.IndexPrice(symbol, reader.positive(row, "oraclePx"), 0))
    return found


def liquidations(
    reader: Reader, data: Record, account: str, watched: Collection[str], coverage: facts.Coverage
) -> list[Fact]:
    """Fills of a watched account that closed a position by force. The batch that begins a subscription is the past.

    Where the position was that of a watched account, only that account's own side of the fill counts: the other one may be
    watched too.
    """
    if reader.text(data, "user").lower() != account:
        raise reader.refused("the fills of another account")
    fills = reader.rows(data, "fills")
    if data.get("isSnapshot") is True:
        return []
    found: list[Fact] = []
    for fill in fills:
        if not given(fill, "liquidation"):
            continue
        forced = reader.child(fill, "liquidation")
        loser = reader.text(forced, "liquidatedUser").lower()
        if loser in watched and loser != account:
            continue
        kind = reader.choice(forced, "method", METHODS)
        found.append(
            facts.Liquidation(
                symbol=reader.text(fill, "coin"),
                position=reader.choice(fill, "side", OWN if loser == account else MET),
                quantity=reader.positive(fill, "sz"),
                price=reader.positive(fill, "px"),
                price_kind="fill",
                venue_time=reader.time(fill, "time"),
                coverage=coverage,
                kind="deleveraging" if fill.get("dir") == DELEVERAGED else kind,
            )
        )
    return found


def status(reader: Reader, reply: Record) -> list[Fact]:
    """A notice for as long as the polls repeat it; nothing says which of its states stop the matching: all are taken to."""
    at = reader.time(reply, "time")
    if "specialStatuses" not in reply:
        raise reader.refused("specialStatuses is missing")
    special = reply["specialStatuses"]
    if special in (None, [], {}, ""):
        return [facts.VenueNotice("Hyperliquid is in no special status", False, None, at, at, STATUS)]
    text = shown(f"Hyperliquid is in a special status: {special if isinstance(special, str) else dumps(special)}")
    return [facts.VenueNotice(text, True, None, at + NOTICE_KEPT, at, STATUS, halts=True)]
