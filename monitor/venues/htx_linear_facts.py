"""HTX USDT perpetuals: listing, figures, liquidations, margin tiers. What the fields mean is told in `htx_linear`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Instrument, Position
from monitor.venues.naming import coin_of
from monitor.venues.reading import Reader, Record, given

TRADING: Final = 1
STATUSES: Final = {TRADING: "trading", 3: "suspended"}  # the other numbers' words are not on record
CLOSED_BY: Final[dict[str, Position]] = {"sell": "long", "buy": "short"}  # side of the order
OVER: Final = 0  # a notice that ended; the venue tells no time
QUOTE: Final = "USDT"


def status_of(reader: Reader, row: Record) -> tuple[bool, str]:
    """Whether the contract trades, and its status as a word."""
    number = reader.integer(row, "contract_status")
    return number == TRADING, STATUSES.get(number, f"status {number}")


def instrument(venue: str, row: Record) -> Instrument:
    """A row of the listing. Raises FrameError."""
    symbol = Reader(venue, "instruments").text(row, "contract_code")
    reader = Reader(venue, "instruments", symbol)
    name, _, quote = symbol.partition("-")
    if quote != QUOTE:
        raise reader.refused("not a perpetual in USDT")
    reader.expect(row, "symbol", name)
    asset, multiplier = coin_of(name)
    trading, status = status_of(reader, row)
    hours = reader.integer(row, "settlement_period") if given(row, "settlement_period") else 0
    return Instrument(
        venue=venue,
        symbol=symbol,
        asset=asset,
        quote=quote,
        settle=quote,
        contract_type="linear",
        tick_size=reader.positive(row, "price_tick"),
        lot_size=Decimal(1),
        contract_size=reader.positive(row, "contract_size"),
        unit_multiplier=multiplier,
        trading=trading,
        status=status,
        funding_interval_seconds=hours * 3600 if hours > 0 else None,
    )


def contract(reader: Reader, row: Record, at: int) -> facts.InstrumentChanged:
    trading, status = status_of(reader, row)
    return facts.InstrumentChanged(reader.text(row, "contract_code"), trading, status, at)


def liquidation(reader: Reader, row: Record, coverage: facts.Coverage) -> facts.Liquidation:
    return facts.Liquidation(
        symbol=reader.text(row, "contract_code"),
        position=reader.choice(row, "direction", CLOSED_BY),
        quantity=reader.positive(row, "volume"),  # contracts; `amount` is coins
        price=reader.positive(row, "price"),
        price_kind="order",
        venue_time=reader.time(row, "created_at"),
        coverage=coverage,
    )


def funding(reader: Reader, row: Record, at: int) -> facts.Funding:
    reader.expect(row, "contract_code", reader.market)
    rate, due = reader.decimal(row, "funding_rate"), reader.time_if_given(row, "settlement_time")
    return facts.Funding(reader.market, rate, due, None, at)


def price(reader: Reader, tick: Record, at: int, *, is_mark: bool) -> facts.MarkPrice | facts.IndexPrice:
    """The close of the running minute's candle is the latest price."""
    close = reader.positive(tick, "close")
    return facts.MarkPrice(reader.market, close, at) if is_mark else facts.IndexPrice(reader.market, close, at)


def open_interest(reader: Reader, row: Record, at: int) -> facts.OpenInterest:
    return facts.OpenInterest(reader.text(row, "contract_code"), reader.decimal(row, "volume"), None, at)


def heartbeat(reader: Reader, data: Record) -> facts.VenueNotice:
    """The venue's status: 0 is maintenance. Its clock stands still, so the notice has no time."""
    works = reader.integer(data, "linear_swap_heartbeat") == 1
    recovery = "linear_swap_estimated_recovery_time"
    ends = reader.time(data, recovery) if not works and given(data, recovery) else None
    text = "HTX USDT perpetuals are in operation" if works else "HTX USDT perpetuals are in maintenance"
    return facts.VenueNotice(text, not works, None, OVER if works else ends, 0, key="heartbeat")


def margin_tiers(reader: Reader, row: Record, at: int) -> facts.MarginTiers:
    """Of the highest leverage's table: maintenance margin is the position's margin (one over leverage) times the factor.

    Sizes are contracts from `min_size` to `max_size`, whole numbers, both of the tier.
    """
    symbol = reader.text(row, "contract_code")
    tables = reader.rows(row, "list")
    if not tables:
        raise reader.refused(f"{symbol} has no table")
    table = max(tables, key=lambda each: reader.positive(each, "lever_rate"))
    leverage = reader.positive(table, "lever_rate")
    ladder = sorted(reader.rows(table, "ladders"), key=lambda each: reader.decimal(each, "min_size"))
    floors = [reader.decimal(each, "min_size") for each in ladder]
    if not floors or floors[0] != 0 or len(set(floors)) != len(floors):
        raise reader.refused(f"{symbol}: the tiers do not begin at 0 and rise")
    # The next tier's first size is one above this one's last: their common edge.
    caps = [*floors[1:], reader.positive(ladder[-1], "max_size") if given(ladder[-1], "max_size") else None]
    tiers = tuple(
        facts.MarginTier(floor, cap, reader.positive(each, "adjust_factor") / leverage, leverage)
        for floor, cap, each in zip(floors, caps, ladder, strict=True)
    )
    return facts.MarginTiers(symbol, tiers, "contracts", whole=True, venue_time=at)
