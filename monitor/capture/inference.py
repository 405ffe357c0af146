"""Markets from their frames alone, for captures that hold no listing.

Tick and lot are the finest decimals seen in the whole capture, trailing zeros left out: every price and size of the capture is
exact on that grid, the venue's own step may be coarser (0.5 reads as 0.1) or finer than what happened to be seen. Inferred
figures serve this recording, never a live market. What the frames read is declared by the venue's grammars; nothing here knows a venue,
but for the contract sizes below, which no frame tells.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import orjson

from engines.wire.grammar import BookGrammar, Path, TradeGrammar
from monitor.errors import RecordingError
from monitor.facts import ContractType, Instrument
from monitor.venues.base import Topic, Venue
from monitor.venues.naming import coin_of

_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH")  # longest of a kind first
_DOLLAR_SETTLED: Final = frozenset({"USDT", "USDC", "FDUSD", "BUSD", "TUSD"})
_MAX_DECIMALS: Final = 18  # what a Grid holds
_MAX_PLACES: Final = 40  # digits of a number, before and after the point: more is no price
_PERPETUAL_USDC: Final = "PERP"  # Bybit's USDC perpetuals: BTCPERP

# Coins per contract where the venue counts contracts. OKX, GET /api/v5/public/instruments, ctVal * ctMult.
_COUNTS_CONTRACTS: Final = ("okx_swap",)
_CONTRACT_SIZES: Final[Mapping[tuple[str, str], Decimal]] = {("okx_swap", "BTC-USDT-SWAP"): Decimal("0.01")}


@dataclass(slots=True)
class Finest:
    """Most significant decimals seen of prices and of sizes of one market."""

    price: int = 0
    size: int = 0
    values: int = 0

    def see(self, price: str, size: str) -> None:
        self.price = max(self.price, _decimals(price))
        self.size = max(self.size, _decimals(size))
        self.values += 1


def _decimals(text: str) -> int:
    """Decimals without trailing zeros; a zero size (a deletion) has none."""
    _, point, fraction = text.partition(".")
    return len(fraction.rstrip("0")) if point else 0


def topic_values(topic: Topic, data: bytes) -> Iterator[tuple[str, str]]:
    """(price, size) texts of a frame of a book or trade topic; none where the frame is not as its grammar says."""
    if topic.book is not None:
        yield from book_values(topic.book, data)
    elif topic.trades is not None:
        yield from _trade_values(topic.trades, data)


def book_values(grammar: BookGrammar, data: bytes) -> Iterator[tuple[str, str]]:
    row = grammar.row
    root = _load(data, quoted=row.quoted)
    for path in (grammar.bids, grammar.asks):
        for level in _list(_at(root, path)):
            if isinstance(level, list) and len(level) > max(row.price, row.size):
                yield from _pair(level[row.price], level[row.size])


def _trade_values(grammar: TradeGrammar, data: bytes) -> Iterator[tuple[str, str]]:
    rows = _at(_load(data, quoted=grammar.quoted), grammar.rows)
    for trade in [rows] if grammar.single else _list(rows):
        yield from _pair(_at(trade, grammar.price), _at(trade, grammar.size))


def _pair(price: Any, size: Any) -> Iterator[tuple[str, str]]:
    if isinstance(price, str) and isinstance(size, str):
        plain = _plain(price), _plain(size)
        if plain[0] and plain[1]:
            yield plain[0], plain[1]


def _plain(text: str) -> str:
    """A decimal without exponent; "" when it is none, or of a size no market has."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return ""
    if not value.is_finite() or abs(value.adjusted()) > _MAX_PLACES or len(text) > _MAX_PLACES:
        return ""
    return f"{value:f}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _load(data: bytes, *, quoted: bool) -> Any:
    try:
        return orjson.loads(data) if quoted else json.loads(data, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None


def _at(value: Any, path: Path) -> Any:
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def infer(venue: Venue, seen: Mapping[str, Finest], known: Sequence[Instrument]) -> tuple[Instrument, ...]:
    """An instrument for each market with prices, those of `known` as they are. Raises RecordingError for a market the venue cannot have."""
    given = {instrument.symbol: instrument for instrument in known}
    return tuple(given.get(symbol) or _instrument(venue, symbol, seen[symbol]) for symbol in sorted(seen))


def _instrument(venue: Venue, symbol: str, finest: Finest) -> Instrument:
    base, quote = split(symbol)
    if not quote:
        raise RecordingError(f"the capture's market {symbol} names no known quote currency: restrict it with --symbols")
    if max(finest.price, finest.size) > _MAX_DECIMALS:
        raise RecordingError(
            f"the capture's market {symbol} has more than {_MAX_DECIMALS} decimals: restrict it with --symbols"
        )
    if venue.name in _COUNTS_CONTRACTS and (venue.name, symbol) not in _CONTRACT_SIZES:
        raise RecordingError(
            f"{venue.name} counts contracts of {symbol} and no frame says how many coins one holds: restrict the import with --symbols"
        )
    contract: ContractType = "spot"
    if "spot" not in venue.contract_types:
        contract = "linear" if quote in _DOLLAR_SETTLED else "inverse"
    asset, multiplier = coin_of(base)
    return Instrument(
        venue=venue.name,
        symbol=symbol,
        asset=asset,
        quote=quote,
        settle=base if contract == "inverse" else quote,
        contract_type=contract,
        tick_size=Decimal(1).scaleb(-finest.price),
        lot_size=Decimal(1).scaleb(-finest.size),
        contract_size=_CONTRACT_SIZES.get((venue.name, symbol), Decimal(1)),
        unit_multiplier=multiplier,
        status="inferred from a capture",
    )


def split(symbol: str) -> tuple[str, str]:
    """Base and quote of a market's name, ("", "") when it names none we know: BTCUSDT, BTC-USDT-SWAP, BTCPERP, BTCUSDT_250926."""
    parts = symbol.replace("/", "-").split("-")
    if len(parts) > 1:
        return parts[0], parts[1]
    name = symbol.partition("_")[0]
    if name.endswith(_PERPETUAL_USDC):
        return name.removesuffix(_PERPETUAL_USDC), "USDC"
    for quote in _QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return name.removesuffix(quote), quote
    return "", ""
