"""Binance USD-M futures. Facts as of 2026-11-22.

Two routes: books on /public, everything else on /market. A stream asked on the wrong one is acknowledged and stays silent for
ever, so each topic's first frame is due within its `silence_seconds`. All-market streams carry the coin-margined universe
too (`st` 2): ignored here. Liquidations: `S` is the side of the ORDER; at most one print a symbol and second, a sample.

Not given by the venue: a checksum, a snapshot on the stream, a stream of open interest (polled), levels beyond 1,000 a side
(learned from changes), connects a minute and names per subscribe frame (spot's bound and our own stand in).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

import orjson

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import binance
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given

SOCKET: Final = "wss://fstream.binance.com"
REST: Final = "https://fapi.binance.com"

SNAPSHOT_LIMIT: Final = 1000
SNAPSHOT_WEIGHT: Final = 20
DEPTH_SILENCE: Final = 30.0  # pushed every 100 ms when anything changes; the quietest markets change within seconds
MARK_SILENCE: Final = 10.0  # pushed every second, changed or not
OPEN_INTEREST_SECONDS: Final = 30.0  # 60 markets cost 120 of 2,400 weight a minute
DEFAULT_FUNDING_HOURS: Final = 8  # fundingInfo lists only symbols whose settings were adjusted
MARKET_STREAMS: Final = ("aggTrade", "markPrice@1s", "forceOrder")
CLOSED_BY: Final[dict[str, facts.Position]] = {"SELL": "long", "BUY": "short"}
# Coin-margined symbols: BTCUSD_PERP, BTCUSD_200925. The retired BTCBUSD_210129 was USD-margined.
COIN_MARGINED: Final = re.compile(r".+_PERP|.+(?<!B)USD_\d{6}")


def _coin_margined(symbol: str, *records: Record) -> bool:
    """The merged streams mark them `st` 2, but the venue's own example shows a 1: the symbol's form decides with it."""
    return any(record.get("st") == 2 for record in records) or COIN_MARGINED.fullmatch(symbol) is not None


class BinanceUsdm(binance.BinanceVenue):
    name: ClassVar[str] = "binance_usdm"
    title: ClassVar[str] = "Binance USD-M futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=300,  # spot's rule, assumed here
        connects_window_seconds=300,
        topics_per_connection=200,  # the venue allows 1,024; one lost connection should not take every market with it
        topics_per_frame=100,
        frames_per_second=10,
        operations_per_hour=None,
        lifetime_seconds=24 * 3600,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text=None, interval_seconds=180, pong_timeout_seconds=600),
        rest_weight=2400,  # shared with the coin-margined host
        rest_window_seconds=60,
        used_weight_header="x-mbx-used-weight-1m",
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("range_with_previous"),
        changes_at_any_price=True,
        window=None,
        snapshot_grammar=binance.SNAPSHOT,
        snapshot_levels=SNAPSHOT_LIMIT,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    verification: ClassVar[str] = (
        "pu of each change equals u of the one before; seeded by a REST snapshot of 1,000 levels"
    )
    symbol_pattern: ClassVar[str] = r"^[^\W_a-z]{3,40}(_[0-9]{6})?$"  # some names are not Latin
    symbol_example: ClassVar[str] = "BTCUSDT"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        """The adjusted funding intervals come first: they travel in the `key` of the next page, which is the listing."""
        return [RestRequest("instruments", f"{REST}/fapi/v1/fundingInfo", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        reply = reader.load(body)
        if not request.key:
            rows = reader.records(reply, "fundingInfo")
            told = {reader.text(row, "symbol"): reader.integer(row, "fundingIntervalHours") for row in rows}
            # An interval of no sense is unknown, and not the default.
            hours = {symbol: interval if 1 <= interval <= 24 else None for symbol, interval in told.items()}
            return [], RestRequest("instruments", f"{REST}/fapi/v1/exchangeInfo", weight=1, key=dumps(hours))
        hours = orjson.loads(request.key)
        rows = reader.rows(reader.record(reply), "symbols")
        return read_listing(rows, lambda row: self._instrument(row, hours)), None

    def _instrument(self, row: Record, hours: dict[str, int | None]) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        filters = {str(rule.get("filterType")): rule for rule in reader.rows(row, "filters")}
        asset, multiplier = coin_of(reader.text(row, "baseAsset"))
        status = reader.text(row, "status")
        # Delivery contracts pay no funding.
        interval = hours.get(symbol, DEFAULT_FUNDING_HOURS) if "PERPETUAL" in str(row.get("contractType")) else None
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quoteAsset"),
            settle=reader.text(row, "marginAsset"),
            contract_type="linear",
            tick_size=reader.positive(reader.child(filters, "PRICE_FILTER"), "tickSize"),
            lot_size=reader.positive(reader.child(filters, "LOT_SIZE"), "stepSize"),
            unit_multiplier=multiplier,
            trading=status == "TRADING",
            status=status,
            funding_interval_seconds=None if interval is None else interval * 3600,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        names = [symbol.lower() for symbol in symbols_in_order(instruments)]
        if not names:
            return []
        books = [f"{name}@depth@100ms" for name in names]
        market = [binance.LISTINGS, *(f"{name}@{stream}" for name in names for stream in MARKET_STREAMS)]
        most = self.limits.topics_per_connection
        return [
            *pack(self, "public", f"{SOCKET}/public/stream", books, most),
            *pack(self, "market", f"{SOCKET}/market/stream", market, most),
        ]

    def topic(self, key: str) -> Topic | None:
        raw = key.startswith(binance.RAW)
        stream = key.removeprefix(binance.RAW)
        if stream == binance.FORCE_ORDERS:
            return Topic(key, Channel.LIQUIDATIONS, ())
        if stream == binance.LISTINGS:
            return Topic(key, Channel.STATUS, ())
        if stream in binance.UNUSED_ALL:
            return Topic(key, Channel.OTHER, ())
        name, _, suffix = stream.partition("@")
        symbol = name.upper()
        if not name or name.startswith("!") or symbol.lower() != name:
            return None
        if suffix in binance.DEPTH:
            return Topic(key, Channel.BOOK, (symbol,), DEPTH_SILENCE, book=binance.FUTURES_CHANGE[raw])
        if suffix in ("aggTrade", "trade"):
            return Topic(key, Channel.TRADES, (symbol,), trades=binance.TRADES[raw, suffix])
        if suffix in ("markPrice", "markPrice@1s"):
            return Topic(key, Channel.TICKER, (symbol,), MARK_SILENCE)
        if suffix == "forceOrder":
            return Topic(key, Channel.LIQUIDATIONS, (symbol,))
        return Topic(key, Channel.OTHER, (symbol,)) if binance.UNUSED.fullmatch(suffix) else None

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load(frame))
        data = message if topic.key.startswith(binance.RAW) else reader.child(message, "data")
        match topic.channel:
            case Channel.TICKER:
                return self._mark_price(reader, data)
            case Channel.LIQUIDATIONS:
                return self._force_order(reader, data)
            case Channel.STATUS:
                return self._contract_info(reader, data)
        raise reader.refused("not a cold channel")

    def _mark_price(self, reader: Reader, data: Record) -> list[Fact]:
        reader.expect(data, "e", "markPriceUpdate")
        reader.expect(data, "s", reader.market)
        at = reader.time(data, "E")
        found: list[Fact] = [facts.MarkPrice(reader.market, reader.positive(data, "p"), at)]
        if given(data, "i"):
            found.append(facts.IndexPrice(reader.market, reader.positive(data, "i"), at))
        # Delivery contracts have no funding: `r` is "" or 0 and `T` is 0.
        if given(data, "r") and reader.integer(data, "T") != 0:
            found.append(facts.Funding(reader.market, reader.decimal(data, "r"), reader.time(data, "T"), None, at))
        return found

    def _force_order(self, reader: Reader, data: Record) -> list[Fact]:
        reader.expect(data, "e", "forceOrder")
        order = reader.child(data, "o")
        symbol = reader.text(order, "s")
        if _coin_margined(symbol, data, order):
            return []
        if reader.market:
            reader.expect(order, "s", reader.market)
        if reader.text(order, "X") != "FILLED":
            return []
        average = reader.decimal(order, "ap")
        return [
            facts.Liquidation(
                symbol=symbol,
                position=reader.choice(order, "S", CLOSED_BY),
                quantity=reader.positive(order, "z"),
                price=average if average > 0 else reader.positive(order, "p"),
                price_kind="average" if average > 0 else "order",
                venue_time=reader.time(order, "T"),
                coverage=self.liquidation_coverage,
            )
        ]

    def _contract_info(self, reader: Reader, data: Record) -> list[Fact]:
        reader.expect(data, "e", "contractInfo")
        symbol, status = reader.text(data, "s"), reader.text(data, "cs")
        if _coin_margined(symbol, data):
            return []
        return [facts.InstrumentChanged(symbol, status == "TRADING", status, reader.time(data, "E"))]

    # -- REST
    def snapshot_request(self, instrument: Instrument) -> RestRequest | None:
        url = f"{REST}/fapi/v1/depth?symbol={quote(instrument.symbol)}&limit={SNAPSHOT_LIMIT}"
        return RestRequest("snapshot", url, SNAPSHOT_WEIGHT, instrument.symbol)

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{REST}/fapi/v1/openInterest?symbol={quote(instrument.symbol)}"
        return [Poll(RestRequest("poll", url, 1, instrument.symbol, "open_interest"), OPEN_INTEREST_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        reply = reader.record(reader.load(body))
        reader.expect(reply, "symbol", reader.market)
        quantity = reader.decimal(reply, "openInterest")
        return [facts.OpenInterest(reader.market, quantity, None, reader.time(reply, "time"))]
