"""Deribit's cold facts: a ticker's figures, prints that are liquidations, locks and states, the margin of the help pages.

What the fields mean is in `deribit`. Every function takes a record read by `Reader.load_exact`, with decimals as Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from monitor import facts
from monitor.facts import Fact
from monitor.venues.candles import CandleForm, read_candles
from monitor.venues.reading import Reader, Record, given, shown

PLATFORM, METHODS, LISTING = "platform_state", "platform_state.public_methods_state", "instrument.state.future.any"
STATUS: Final = (PLATFORM, METHODS, LISTING)
PERPETUAL: Final = "-PERPETUAL"
FUNDING_SECONDS: Final = 8 * 3600
TRADED: Final = "open"
NOT_TRADED: Final = ("settlement", "delivered", "inactive", "locked", "halted", "archivized")
OVER: Final = 0  # a notice that ended: it is forgotten
NOTICE_KEPT: Final = 180_000_000_000  # ns; three polls of the status
KINDS: Final[Mapping[str, Literal["linear", "inverse"]]] = {"linear": "linear", "reversed": "inverse"}
LINEAR_CANDLE, INVERSE_CANDLE = (
    CandleForm("ticks", "low", "high", "close", volume, columns=("ticks", "low", "high", "close", volume))
    for volume in ("volume", "cost")
)
# Whose position was closed, by the taker's side: the taker's own, or the maker's on the other side.
TAKER: Final[Mapping[str, facts.Position]] = {"sell": "long", "buy": "short"}
MAKER: Final[Mapping[str, facts.Position]] = {"sell": "short", "buy": "long"}
LIQUIDATED: Final[Mapping[str, tuple[Mapping[str, facts.Position], ...]]] = {
    "T": (TAKER,), "M": (MAKER,), "MT": (MAKER, TAKER),
}  # fmt: skip


def ticker(reader: Reader, row: Record) -> list[Fact]:
    symbol, at = reader.market, reader.time(row, "timestamp")
    found: list[Fact] = []
    for key, fact in (("mark_price", facts.MarkPrice), ("index_price", facts.IndexPrice)):
        if given(row, key) and reader.decimal(row, key) != 0:  # 0: there is none
            found.append(fact(symbol, reader.positive(row, key), at))
    if given(row, "current_funding"):  # dated futures have none
        found.append(facts.Funding(symbol, reader.decimal(row, "current_funding"), None, FUNDING_SECONDS, at))
    if given(row, "open_interest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(row, "open_interest"), None, at))
    status = reader.text(row, "state")
    found.append(facts.InstrumentChanged(symbol, status == TRADED, status, at))
    return found


def candles(reader: Reader, result: Record) -> list[Fact]:
    """Columns, of which `volume` counts coins and `cost` the quote currency: inverse contracts are counted in dollars (BTC-PERPETUAL)."""
    if reader.text(result, "status") == "no_data":
        return []
    linear = "_" in reader.market.partition("-")[0]  # BTC_USDC-PERPETUAL
    form = LINEAR_CANDLE if linear else INVERSE_CANDLE
    columns = [result.get(name) for name in form.columns]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) < len(columns) or len({len(column) for column in lists}) > 1:
        raise reader.refused("the candles are not columns of one length")
    return read_candles(reader, [list(row) for row in zip(*lists, strict=True)], form)


def liquidations(reader: Reader, rows: Sequence[Record], coverage: facts.Coverage) -> list[Fact]:
    """The prints that are liquidations; one that liquidated both sides is two."""
    found: list[Fact] = []
    for row in rows:
        if not given(row, "liquidation"):
            continue
        reader.expect(row, "instrument_name", reader.market)
        for side in reader.choice(row, "liquidation", LIQUIDATED):
            position = reader.choice(row, "direction", side)
            amount, price = reader.positive(row, "amount"), reader.positive(row, "price")
            at = reader.time(row, "timestamp")
            found.append(facts.Liquidation(reader.market, position, amount, price, "fill", at, coverage))
    return found


# -- states
def state(reader: Reader, data: Record) -> list[Fact]:
    """A frame of any of the three channels of states. Those of the platform tell no time."""
    if "instrument_name" in data:
        symbol, status = reader.text(data, "instrument_name"), reader.text(data, "state")
        trading = True if status == TRADED else False if status in NOT_TRADED else None
        return [facts.InstrumentChanged(symbol, trading, status, reader.time(data, "timestamp"))]
    if "price_index" in data:
        return [_lock(reader.text(data, "price_index"), locked=_flag(reader, data, "locked"))]
    if "maintenance" in data:
        return [_maintenance(holds=_flag(reader, data, "maintenance"))]
    # Books that come are traded all the same.
    open_to_all = _flag(reader, data, "allow_unauthenticated_public_requests")
    return [_notice("Deribit refuses requests without login", "public methods", holds=not open_to_all)]


def locks(reader: Reader, result: Record, at: int) -> list[Fact]:
    """`public/status`: a venue that answers is in no maintenance; what is locked holds for three polls."""
    locked = reader.text(result, "locked")  # a text on the wire
    if locked not in ("true", "partial", "false"):
        raise reader.refused(f"locked is none of true, partial, false: {shown(locked)!r}")
    everything = _notice("Deribit is locked", "lock", holds=locked == "true", at=at, ends=at + NOTICE_KEPT, halts=True)
    found: list[Fact] = [_maintenance(holds=False), everything]
    indexes = result.get("locked_indices", [])
    if not isinstance(indexes, list) or not all(isinstance(index, str) for index in indexes):
        raise reader.refused("locked_indices is not an array of names")
    if locked == "partial":
        found += [_lock(index, locked=True, at=at, ends=at + NOTICE_KEPT) for index in indexes]
    return found


def _flag(reader: Reader, data: Record, key: str) -> bool:
    value = data.get(key)
    if not isinstance(value, bool):
        raise reader.refused(f"{key} is neither true nor false")
    return value


def _maintenance(*, holds: bool) -> facts.VenueNotice:
    return _notice("Deribit is in maintenance", "maintenance", holds=holds, halts=True)


def _lock(index: str, *, locked: bool, at: int = 0, ends: int | None = None) -> facts.VenueNotice:
    """btc_usd is the index of BTC-PERPETUAL and BTC-25DEC26, sol_usdc that of SOL_USDC-PERPETUAL."""
    coin, _, quote = index.upper().partition("_")
    family = f"{coin}-" if quote == "USD" else f"{coin}_{quote}-"
    text = shown(f"price index {index} is locked")
    return _notice(text, f"lock {index}", holds=locked, family=family, at=at, ends=ends, halts=True)


def _notice(
    text: str, key: str, *, holds: bool, family: str = "", at: int = 0, ends: int | None = None, halts: bool = False
) -> facts.VenueNotice:
    return facts.VenueNotice(
        text, holds, at or None, ends if holds else OVER, at, key, halts=holds and halts, family=family
    )


# -- margin
EDGES: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, slots=True)
class Slope:
    """Margin that rises with the position: `maintenance` + size * `rise`, `initial` + size * `rise`; fractions, size in coins.

    unit: coins in one of EDGES.
    """

    documented: date
    initial: Decimal
    maintenance: Decimal
    rise: Decimal
    unit: int


# "11 January 2022" and "Linear Perpetual" of the venue's help pages; the latter has no date: read on the day given here.
SLOPES: Final = {
    "BTC-PERPETUAL": Slope(date(2022, 1, 11), Decimal("0.02"), Decimal("0.01"), Decimal("0.00005"), 1),
    "ETH-PERPETUAL": Slope(date(2022, 1, 11), Decimal("0.02"), Decimal("0.01"), Decimal("0.000004"), 10),
    "BTC_USDC-PERPETUAL": Slope(date(2026, 11, 22), Decimal("0.02"), Decimal("0.01"), Decimal("0.00005"), 1),
    "SOL_USDC-PERPETUAL": Slope(date(2026, 11, 22), Decimal("0.04"), Decimal("0.02"), Decimal("0.000005"), 10),
}


def documented_tiers(symbol: str) -> facts.MarginTiers | None:
    """The slope as steps: each takes the ratio of its upper edge, the endless last one of its lower edge."""
    slope = SLOPES.get(symbol)
    if slope is None:
        return None
    edges = [Decimal(edge * slope.unit) for edge in EDGES]
    tiers = []
    for floor, cap in zip([Decimal(0), *edges], [*edges, None], strict=True):
        more = slope.rise * (floor if cap is None else cap)
        tiers.append(facts.MarginTier(floor, cap, slope.maintenance + more, 1 / (slope.initial + more)))
    return facts.MarginTiers(symbol, tuple(tiers), "base", whole=True, venue_time=0, documented=slope.documented)
