"""Markets from their frames alone, for captures that hold no listing.

Tick and lot are the finest decimals seen in the whole capture, trailing zeros left out: every price and size of the capture is
exact on that grid, the venue's own step may be coarser (0.5 reads as 0.1) or finer than what happened to be seen. Inferred
figures serve this recording, never a live market. What the frames read is declared by the venue's grammars; nothing here knows a venue.
What a contract holds no frame tells: derivatives of which the venue's module does not know it are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engines.wire.errors import WireError
from engines.wire.grammar import BookGrammar, Path, TradeGrammar
from engines.wire.json_text import follow, parse
from engines.wire.plain import plain_text_levels
from monitor.errors import RecordingError
from monitor.facts import ContractType, Instrument
from monitor.venues.base import Topic, Venue
from monitor.venues.naming import coin_of

_QUOTES: Final = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH")  # longest of a kind first
_DOLLAR_SETTLED: Final = frozenset({"USDT", "USDC", "FDUSD", "BUSD", "TUSD"})
_MAX_DECIMALS: Final = 18  # what a Grid holds
_MAX_PLACES: Final = 40  # digits of a number, before and after the point: more is no price
_PERPETUAL_USDC: Final = "PERP"  # Bybit's USDC perpetuals: BTCPERP


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
    try:
        bids, asks = plain_text_levels(grammar, data)
    except WireError:
        return
    for price, size in (*bids, *asks):
        yield from _pair(price, size)


def _trade_values(grammar: TradeGrammar, data: bytes) -> Iterator[tuple[str, str]]:
    try:
        rows = follow(parse(data), grammar.rows)
    except WireError:
        return
    for trade in [rows] if grammar.single else rows if isinstance(rows, list) else []:
        size = _at(trade, grammar.size)
        unsigned = size.removeprefix("-") if grammar.signed and isinstance(size, str) else size
        yield from _pair(_at(trade, grammar.price), unsigned)


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


def _at(value: Any, path: Path) -> Any:
    try:
        return follow(value, path)
    except WireError:
        return None


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
    contract_size = venue.unlisted_contract_size(symbol)
    if contract_size is None:
        raise RecordingError(
            f"no frame of {venue.name} tells how many coins one unit of {symbol} holds: restrict the import with --symbols"
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
        contract_size=contract_size,
        unit_multiplier=multiplier,
        status="inferred from a capture",
    )


def split(symbol: str) -> tuple[str, str]:
    """Base and quote of a market's name, ("", "") when it names none we know: BTCUSDT, BTC-USDT-SWAP, BTC_USDT, BTCPERP, BTCUSDT_250926."""
    parts = symbol.replace("/", "-").split("-")
    if len(parts) > 1:
        return parts[0], parts[1]
    name, _, tail = symbol.partition("_")
    if tail in _QUOTES:
        return name, tail
    if name.endswith(_PERPETUAL_USDC):
        return name.removesuffix(_PERPETUAL_USDC), "USDC"
    for quote in _QUOTES:
        if name.endswith(quote) and len(name) > len(quote):
            return name.removesuffix(quote), quote
    return "", ""
