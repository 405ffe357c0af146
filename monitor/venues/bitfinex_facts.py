"""Bitfinex's cold facts: arrays whose elements mean something by their place. What they mean is in `bitfinex`.

Every function takes what `Reader.load_exact` read, with decimals as Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from monitor import facts
from monitor.facts import Fact, Instrument
from monitor.venues.naming import coin_of
from monitor.venues.packing import read_rows
from monitor.venues.reading import Reader, Record, given, shown

Elements = list[object]

# The usual names of what the venue calls otherwise. TERRAUST is the old UST, LUNA the old LUNA.
NAMES: Final[Mapping[str, str]] = {
    "ALG": "ALGO", "ATO": "ATOM", "BCHABC": "XEC", "BCHN": "BCH", "DAT": "DATA", "DSH": "DASH", "EUS": "EURS", "EUT": "EURT",
    "IOT": "IOTA", "LUNA": "LUNC", "LUNA2": "LUNA", "MNA": "MANA", "QTM": "QTUM", "STJ": "STORJ", "TERRAUST": "USTC",
    "TSD": "TUSD", "UDC": "USDC", "UST": "USDT", "VSY": "VSYS",
}  # fmt: skip
CONTRACT: Final = "F0"
PAPER: Final = "tTEST"
FUNDING_SECONDS: Final = 8 * 3600
FIGURES: Final = 5  # of a price at P0
FINEST: Final = 18  # decimals of a grid
LOT: Final = Decimal("0.00000001")
ENTERING: Final = 20060  # the code of a notice: maintenance begins, and trading pauses
PAST: Final = 1  # the end of what is over; the reply tells no time

# Where things stand: in a row of /tickers, of a status of a contract, of liquidations, of the futures' configuration.
TICKER: Final = {"symbol": 0, "bid": 1, "ask": 3, "last": 7, "low": 10}
STATUS: Final = {"time": 0, "next": 7, "funding": 11, "mark": 14, "interest": 17}
POSITION: Final = {
    "kind": 0, "id": 1, "time": 2, "symbol": 4, "amount": 5, "entry": 6, "match": 8, "sold": 9, "price": 11,
}  # fmt: skip
MARGINS: Final = {"initial": 8, "minimum": 9}


def elements(reader: Reader, value: object) -> Elements:
    if not isinstance(value, list):
        raise reader.refused("it is not an array")
    return value


def _named(row: Elements, places: Mapping[str, int]) -> Record:
    return {name: row[place] for name, place in places.items() if place < len(row)}


# -- listing
def ticker(reader: Reader, row: object) -> Record:
    return _named(elements(reader, row), TICKER)


def is_pair(ticker: Record) -> bool:
    """Neither a currency to lend nor a paper market."""
    symbol = ticker.get("symbol")
    return not isinstance(symbol, str) or (symbol.startswith("t") and not symbol.startswith(PAPER))


def is_contract(symbol: str) -> bool:
    return f"{CONTRACT}:" in symbol


def instrument(venue: str, row: Record) -> Instrument:
    symbol = Reader(venue, "instruments").text(row, "symbol")
    reader = Reader(venue, "instruments", symbol)
    contract = is_contract(symbol)
    asset, quote = _pair(reader, symbol.removeprefix("t"), contract)
    coin, multiplier = coin_of(asset)
    return Instrument(
        venue=venue,
        symbol=symbol,
        asset=coin,
        quote=quote,
        settle=quote,
        contract_type="linear" if contract else "spot",
        tick_size=_tick(reader, row),
        lot_size=LOT,
        unit_multiplier=multiplier,
        status="listed",
        funding_interval_seconds=FUNDING_SECONDS if contract else None,
    )


def _pair(reader: Reader, name: str, contract: bool) -> tuple[str, str]:
    """Coin and quote currency: with a colon between them, or three letters each."""
    coin, colon, quote = name.partition(":")
    if not colon and len(name) == 6:
        coin, quote = name[:3], name[3:]
    if contract:
        coin, quote = coin.removesuffix(CONTRACT), quote.removesuffix(CONTRACT)
    if not coin or not quote:
        raise reader.refused("not a pair")
    return NAMES.get(coin, coin), NAMES.get(quote, quote)


def _tick(reader: Reader, row: Record) -> Decimal:
    """One decimal finer than the lowest price of the day has."""
    prices = [reader.decimal(row, key) for key in ("low", "bid", "ask", "last") if given(row, key)]
    lowest = min((price for price in prices if price > 0), default=None)
    if lowest is None:
        raise reader.refused("it has no price yet")
    exponent = lowest.adjusted() - FIGURES
    if exponent < -FINEST:
        raise reader.refused(f"no grid is so fine as a price of {lowest}")
    return Decimal(1).scaleb(exponent)


# -- answers
def asked_for(message: Record, length: int) -> tuple[str, ...]:
    """The topic that an answer is about, none when it names none. Of a book the length is not always the one that was asked for
    (the page shows "25" for "250"): as it stands, or else as we ask for it.
    """
    channel = message.get("channel")
    names = {"status": ("key",), "book": ("prec", "len", "symbol")}.get(str(channel), ("symbol",))
    asked = (message, message | {"len": length}) if channel == "book" else (message,)
    parts = [[channel, *(said.get(name) for name in names)] for said in asked]
    keys = [":".join(map(str, part)) for part in parts if all(isinstance(p, str | int) and p != "" for p in part)]
    return tuple(dict.fromkeys(keys))


# -- streams
def contract(reader: Reader, row: Elements) -> list[Fact]:
    """A contract's mark price, funding and open interest. Fields that the venue leaves out or does not know yet are null."""
    said, symbol = _named(row, STATUS), reader.market
    at = reader.time(said, "time")
    found: list[Fact] = []
    if given(said, "mark"):
        found.append(facts.MarkPrice(symbol, reader.positive(said, "mark"), at))
    if given(said, "funding"):
        due = reader.time(said, "next") if given(said, "next") else None
        found.append(facts.Funding(symbol, reader.decimal(said, "funding"), due, FUNDING_SECONDS, at))
    if given(said, "interest"):
        found.append(facts.OpenInterest(symbol, reader.decimal(said, "interest"), None, at))
    return found


def positions(reader: Reader, body: object, coverage: facts.Coverage) -> list[Fact]:
    """Liquidated positions, each row for itself."""
    rows = [_named(row, POSITION) if isinstance(row, list) else {} for row in elements(reader, body)]
    return read_rows(rows, lambda row: _liquidation(reader, row, coverage))


def _liquidation(reader: Reader, said: Record, coverage: facts.Coverage) -> list[Fact]:
    """A row of a position, whichever it is: of those with one id the first counts. Margin positions of spot pairs are left out."""
    reader.expect(said, "kind", "pos")
    symbol = reader.text(said, "symbol")
    if not is_contract(symbol):
        return []
    amount = reader.decimal(said, "amount")  # of the position: below 0 a short
    if amount == 0:
        raise reader.refused("a position of nothing")
    _flag(reader, said, "match")
    told = given(said, "price")
    print_ = facts.Liquidation(
        symbol=symbol,
        position="long" if amount > 0 else "short",
        quantity=abs(amount),
        price=reader.positive(said, "price" if told else "entry"),
        price_kind="order" if told else "mark",
        venue_time=_moment(reader, said),
        coverage=coverage,
        kind="liquidation" if _flag(reader, said, "sold") else "takeover",
        identifier=str(reader.integer(said, "id")),
    )
    return [print_]


def _flag(reader: Reader, said: Record, key: str) -> bool:
    value = reader.integer(said, key)
    if value not in (0, 1):
        raise reader.refused(f"{key} is neither 0 nor 1: {value}")
    return value == 1


def _moment(reader: Reader, said: Record) -> int:
    """Milliseconds, of which the venue sometimes writes fractions."""
    return reader.time({"time": int(reader.decimal(said, "time"))}, "time")


# -- REST
def platform(reader: Reader, reply: Elements) -> Fact:
    works = _flag(reader, {"platform": reply[0]} if reply else {}, "platform")
    return _standing(works, "Bitfinex is operative" if works else "Bitfinex is in maintenance")


def tells_platform(message: object) -> bool:
    """Whether it is the first words on a socket, or the notice that maintenance begins."""
    if not isinstance(message, dict) or message.get("event") != "info":
        return False
    return "platform" in message or message.get("code") == ENTERING


def announced(reader: Reader, message: Record) -> Fact:
    """What these say."""
    if "platform" in message:
        return platform(reader, [reader.child(message, "platform").get("status")])
    reader.expect({"code": str(message.get("code"))}, "code", str(ENTERING))
    return _standing(works=False, text=shown(f"Bitfinex enters maintenance: {message.get('msg')}"))


def _standing(works: bool, text: str) -> Fact:
    return facts.VenueNotice(text, not works, None, PAST if works else None, 0, key="platform", halts=not works)


def margin_tiers(reader: Reader, reply: Elements) -> list[Fact]:
    """One tier a contract, out of the only list of the reply."""
    found: list[Fact] = []
    for row in elements(reader, reply[0] if len(reply) == 1 else None):
        pair = elements(reader, row)
        name, details = (pair[0], pair[1]) if len(pair) == 2 else (None, None)
        if not isinstance(name, str):
            raise reader.refused("a contract without a name")
        if name.startswith(PAPER.removeprefix("t")):
            continue
        said = _named(elements(reader, details), MARGINS)
        if not given(said, "initial") or not given(said, "minimum"):
            continue  # margins of it are not told
        leverage = 1 / reader.positive(said, "initial")
        tier = facts.MarginTier(Decimal(0), None, reader.positive(said, "minimum"), leverage)
        found.append(facts.MarginTiers(f"t{name}", (tier,), "base", whole=True, venue_time=0))
    return found
