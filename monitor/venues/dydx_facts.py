"""dYdX's cold facts: its markets, what v4_markets says, trades that close a position by force, margin fractions.

What the fields mean is in `dydx`. No message of these but an oracle price, a trade and a block tells its time.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Fact, Instrument
from monitor.venues.naming import coin_of
from monitor.venues.packing import read_listing
from monitor.venues.reading import Reader, Record, given

HOUR: Final = 3600  # funding is paid hourly, and the rate is of one hour
STANDSTILL_SECONDS: Final = 10
STANDSTILL_NS: Final = STANDSTILL_SECONDS * 1_000_000_000  # after the time of a block, without another one
ACTIVE: Final = "ACTIVE"
QUOTE: Final = "-USD"
# A trade's `type`: how a position was closed by force, and what its price is. A deleveraging trades at the bankruptcy price.
FORCED: Final[Mapping[str, tuple[facts.LiquidationKind, facts.PriceKind]]] = {
    "LIQUIDATED": ("liquidation", "fill"),
    "DELEVERAGED": ("deleveraging", "bankruptcy"),
}
CLOSED_BY: Final[Mapping[str, facts.Position]] = {"SELL": "long", "BUY": "short"}


def rows_of(reader: Reader, contents: Record, key: str) -> list[Record]:
    """The objects of {"markets": {"BTC-USD": {...}}}, each with its name as `ticker`."""
    named = reader.child(contents, key)
    return [{**reader.record(row, symbol), "ticker": symbol} for symbol, row in named.items()]


def instrument(venue: str, row: Record) -> Instrument:
    symbol = Reader(venue, "instruments").text(row, "ticker")
    reader = Reader(venue, "instruments", symbol)
    if not symbol.endswith(QUOTE):
        raise reader.refused("not priced in dollars")
    asset, multiplier = coin_of(symbol.removesuffix(QUOTE).partition(",")[0])
    status = reader.text(row, "status")
    return Instrument(
        venue=venue,
        symbol=symbol,
        asset=asset,
        quote="USD",
        settle="USDC",
        contract_type="linear",
        tick_size=reader.positive(row, "tickSize"),
        lot_size=reader.positive(row, "stepSize"),
        unit_multiplier=multiplier,
        trading=status == ACTIVE,
        status=status,
        funding_interval_seconds=HOUR,
    )


def markets(reader: Reader, message: Record) -> list[Fact]:
    """A frame of v4_markets: the first one tells all markets, a later one what changed; batched ones hold several of these."""
    contents = message.get("contents")
    found: list[Fact] = []
    for part in (
        reader.records(contents, "contents") if isinstance(contents, list) else [reader.child(message, "contents")]
    ):
        if "markets" in part:
            found += standing(reader, part)
        if "trading" in part:
            found += [fact for row in rows_of(reader, part, "trading") for fact in figures(reader, row)]
        if "oraclePrices" in part:
            found += [fact for row in rows_of(reader, part, "oraclePrices") for fact in prices(reader, row)]
    return found


def standing(reader: Reader, contents: Record) -> list[Fact]:
    """All markets as they are, over the socket or REST. One odd new market must not cost the others."""
    rows = rows_of(reader, contents, "markets")
    return [
        fact for some in read_listing(rows, lambda row: [*figures(reader, row), *prices(reader, row)]) for fact in some
    ]


def figures(reader: Reader, row: Record) -> list[Fact]:
    """Status, funding, open interest: what of it is there."""
    symbol = reader.text(row, "ticker")
    reader = Reader(reader.venue, reader.channel, symbol)
    found: list[Fact] = []
    if given(row, "status"):
        status = reader.text(row, "status")
        found.append(facts.InstrumentChanged(symbol, status == ACTIVE, status, 0))
    if given(row, "nextFundingRate"):
        found.append(facts.Funding(symbol, reader.decimal(row, "nextFundingRate"), None, HOUR, 0))
    if given(row, "openInterest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(row, "openInterest"), None, 0))
    return found


def prices(reader: Reader, row: Record) -> list[Fact]:
    """The oracle's price: positions are margined by it, so it is the mark price, and it is made of other venues' prices: the index."""
    if not given(row, "oraclePrice"):  # a market that is being set up has none yet
        return []
    symbol = reader.text(row, "ticker")
    reader = Reader(reader.venue, reader.channel, symbol)
    price = reader.positive(row, "oraclePrice")
    at = reader.moment(row, "effectiveAt") if given(row, "effectiveAt") else 0
    return [facts.MarkPrice(symbol, price, at), facts.IndexPrice(symbol, price, at)]


def height(reader: Reader, message: Record) -> Fact:
    """A block: for a while the chain does not stand. The first one of a subscription has REST's name for its number."""
    contents = reader.child(message, "contents")
    number = reader.text(contents, "blockHeight" if given(contents, "blockHeight") else "height")
    if not (number.isascii() and number.isdigit()):
        raise reader.refused(f"not the height of a block: {number!r}")
    at = reader.moment(contents, "time")
    said = f"dYdX Chain: no block after {number} for {STANDSTILL_SECONDS} s"
    return facts.VenueNotice(said, True, at + STANDSTILL_NS, None, at, key="chain", halts=True, put_off=True)


def liquidations(reader: Reader, message: Record, coverage: facts.Coverage) -> list[Fact]:
    """Forced trades of a frame of v4_trades; what comes with the subscription is history."""
    if message.get("type") != "channel_data":
        return []
    rows = reader.rows(reader.child(message, "contents"), "trades")
    return [_liquidation(reader, row, coverage) for row in rows if str(row.get("type")) in FORCED]


def _liquidation(reader: Reader, row: Record, coverage: facts.Coverage) -> Fact:
    kind, price_kind = reader.choice(row, "type", FORCED)
    return facts.Liquidation(
        symbol=reader.market,
        position=reader.choice(row, "side", CLOSED_BY),
        quantity=reader.positive(row, "size"),
        price=reader.positive(row, "price"),
        price_kind=price_kind,
        venue_time=reader.moment(row, "createdAt"),
        coverage=coverage,
        kind=kind,
    )


def margin_tiers(reader: Reader, row: Record) -> Fact:
    """One tier: with open interest the initial margin rises, the maintenance margin does not."""
    symbol = reader.text(row, "ticker")
    reader = Reader(reader.venue, reader.channel, symbol)
    leverage = 1 / reader.positive(row, "initialMarginFraction")
    tier = facts.MarginTier(Decimal(0), None, reader.positive(row, "maintenanceMarginFraction"), leverage)
    return facts.MarginTiers(symbol, (tier,), "quote", whole=True, venue_time=0)
