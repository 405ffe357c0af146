"""OKX v5 swaps (perpetuals), linear and inverse. Facts as of 2026-11-22.

Sizes are contracts; `ctVal * ctMult` is what one is worth. The book's `checksum` is 0 since 2026-06-23 and ignored: `prevSeqId`
must link to `seqId`. The stream keeps 400 levels a side, wider bands come from the REST book of 5,000. Liquidations come for all
swaps at once, at most one a contract and second (a sample), with the bankruptcy price; the first frame may replay the recent
past, so who counts them must know a print by (market, time, side, size, price).

Not given by the venue: an age at which connections are cut, the cadence of funding and open interest, a message rate on the
socket, how many cold topics a connection may hold (our own bound stands in). A resync costs two of 480 operations an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Final
from urllib.parse import quote

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import okx
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, RestRequest, Topic
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, given, shown

SOCKET: Final = "wss://ws.okx.com:8443/ws/v5/public"
REST: Final = "https://www.okx.com"

WINDOW: Final = 400
DEEP_LEVELS: Final = 5000
DEEP_SECONDS: Final = 20.0  # a deep snapshot counts for 60 s: two may fail before it lapses
BOOKS_PER_CONNECTION: Final = 25  # fewer than about 30 deep books are recommended
BOOK_SILENCE: Final = 75.0  # an unchanged book sends a keep-alive after about 60 s
MARK_SILENCE: Final = 30.0  # pushed on change, else every 10 s
LIQUIDATIONS: Final = "liquidation-orders:SWAP"
STATUS: Final = "status"
SWAP: Final = "-SWAP"
CLOSED_BY: Final[dict[str, facts.Position]] = {"sell": "long", "buy": "short"}
# WebSocket, trading, trading in batches of accounts or of products: what stops a book or the prices behind it.
DISRUPTIVE_SERVICES: Final = ("0", "5", "8", "9")


class OkxSwap(okx.OkxVenue):
    name: ClassVar[str] = "okx_swap"
    title: ClassVar[str] = "OKX swaps"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear", "inverse")
    limits: ClassVar[Limits] = Limits(
        connects=3,
        connects_window_seconds=1,
        topics_per_connection=100,
        topics_per_frame=50,  # stays below the 4,096 bytes of older documents; newer ones allow 64 KB
        frames_per_second=3,
        operations_per_hour=480,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text="ping", interval_seconds=20, pong_timeout_seconds=15),
        # Limits are per endpoint: listing 20 and deep book 10 requests in 2 s. One unit is the twentieth part of either.
        rest_weight=20,
        rest_window_seconds=2,
    )
    book: ClassVar[BookPolicy] = BookPolicy(
        sequence=SequenceRule("linked"),
        changes_at_any_price=False,
        window=WINDOW,
        deep_interval_seconds=DEEP_SECONDS,
        deep_grammar=okx.DEEP,
        deep_levels=DEEP_LEVELS,
    )
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    verification: ClassVar[str] = "prevSeqId of each update equals seqId of the one before; snapshot on the stream"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,20}-[0-9A-Z]{2,10}-SWAP$"
    symbol_example: ClassVar[str] = "BTC-USDT-SWAP"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{REST}/api/v5/public/instruments?instType=SWAP", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load(body)), "data")
        return read_listing(rows, self._instrument), None

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "instId")
        reader = Reader(self.name, "instruments", symbol)
        base_coin, _, quote_coin = reader.text(row, "instFamily").partition("-")
        kind = reader.text(row, "ctType")
        if kind not in ("linear", "inverse"):
            raise reader.refused(f"ctType is not linear or inverse: {shown(kind)!r}")
        # A contract is worth base coins (linear) or quote units (inverse); anything else would make every size wrong.
        reader.expect(row, "ctValCcy", base_coin if kind == "linear" else quote_coin)
        asset, multiplier = coin_of(base_coin)
        status = reader.text(row, "state")
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=quote_coin,
            settle=reader.text(row, "settleCcy"),
            contract_type="linear" if kind == "linear" else "inverse",
            tick_size=reader.positive(row, "tickSz"),
            lot_size=reader.positive(row, "lotSz"),
            contract_size=reader.positive(row, "ctVal") * reader.positive(row, "ctMult"),
            unit_multiplier=multiplier,
            trading=status == "live",
            status=status,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        if not symbols:
            return []
        cold = [LIQUIDATIONS, STATUS]
        for symbol in symbols:
            cold += [f"{channel}:{symbol}" for channel in ("trades", "mark-price", "funding-rate", "open-interest")]
            cold.append(f"index-tickers:{symbol.removesuffix(SWAP)}")
        return [
            *pack(self, "books", SOCKET, [f"books:{symbol}" for symbol in symbols], BOOKS_PER_CONNECTION),
            *pack(self, "facts", SOCKET, cold, self.limits.topics_per_connection),
        ]

    def topic(self, key: str) -> Topic | None:
        channel, _, subject = key.partition(":")
        if key == STATUS or (channel == "instruments" and subject):
            return Topic(key, Channel.STATUS, ())
        if not subject:
            return None
        match channel:
            case "books":
                return Topic(key, Channel.BOOK, (subject,), BOOK_SILENCE, book=okx.BOOK)
            case "trades":
                return Topic(key, Channel.TRADES, (subject,), trades=okx.TRADES)
            case "liquidation-orders":
                return Topic(key, Channel.LIQUIDATIONS, ())
            case "mark-price":
                return Topic(key, Channel.TICKER, (subject,), MARK_SILENCE)
            case "funding-rate" | "open-interest":
                return Topic(key, Channel.TICKER, (subject,))
            case "index-tickers":
                return Topic(key, Channel.TICKER, (subject + SWAP,))  # an index pair and its swap share the name
        return Topic(key, Channel.OTHER, (subject,)) if okx.UNUSED.fullmatch(channel) else None

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        rows = reader.rows(reader.record(reader.load(frame)), "data")
        match topic.channel:
            case Channel.TICKER:
                read = self._index if topic.key.startswith("index-tickers:") else self._ticker
                return [fact for row in rows for fact in read(reader, row)]
            case Channel.LIQUIDATIONS:
                return [fact for row in rows for fact in self._liquidations(reader, row)]
            case Channel.STATUS:
                read = self._status if topic.key == STATUS else self._listing
                return [fact for row in rows for fact in read(reader, row)]
        raise reader.refused("not a cold channel")

    def _index(self, reader: Reader, row: Record) -> list[Fact]:
        reader.expect(row, "instId", reader.market.removesuffix(SWAP))
        return [facts.IndexPrice(reader.market, reader.positive(row, "idxPx"), reader.time(row, "ts"))]

    def _ticker(self, reader: Reader, row: Record) -> list[Fact]:
        reader.expect(row, "instId", reader.market)
        at = reader.time(row, "ts")
        found: list[Fact] = []
        if given(row, "markPx"):
            found.append(facts.MarkPrice(reader.market, reader.positive(row, "markPx"), at))
        if given(row, "oi"):
            found.append(facts.OpenInterest(reader.market, reader.decimal(row, "oi"), None, at))
        if given(row, "fundingRate"):
            due = reader.time(row, "fundingTime")
            interval = reader.time(row, "nextFundingTime") - due if given(row, "nextFundingTime") else 0
            seconds = interval // 1_000_000_000 if interval > 0 else None
            found.append(facts.Funding(reader.market, reader.decimal(row, "fundingRate"), due, seconds, at))
        return found

    def _liquidations(self, reader: Reader, row: Record) -> list[Fact]:
        symbol = reader.text(row, "instId")
        reader = Reader(self.name, reader.channel, symbol)
        return [self._liquidation(reader, detail) for detail in reader.rows(row, "details")]

    def _liquidation(self, reader: Reader, detail: Record) -> Fact:
        position = reader.choice(detail, "side", CLOSED_BY)  # posSide may be "net"
        if detail.get("posSide") in ("long", "short"):
            reader.expect(detail, "posSide", position)
        return facts.Liquidation(
            symbol=reader.market,
            position=position,
            quantity=reader.positive(detail, "sz"),
            price=reader.positive(detail, "bkPx"),
            price_kind="bankruptcy",
            venue_time=reader.time(detail, "ts"),
            coverage=self.liquidation_coverage,
        )

    def _status(self, reader: Reader, row: Record) -> list[Fact]:
        if row.get("env") == "2":  # the demo environment
            return []
        state = reader.text(row, "state")
        return [
            facts.VenueNotice(
                text=f"{reader.text(row, 'title')} ({state})",
                disruptive=row.get("serviceType") in DISRUPTIVE_SERVICES and state not in ("completed", "canceled"),
                begins=reader.time(row, "begin") if given(row, "begin") else None,
                ends=reader.time(row, "end") if given(row, "end") else None,
                venue_time=reader.time(row, "ts"),
            )
        ]

    def _listing(self, reader: Reader, row: Record) -> list[Fact]:
        """The `instruments` channel carries no time of its own: 0."""
        state = reader.text(row, "state")
        return [facts.InstrumentChanged(reader.text(row, "instId"), state == "live", state, 0)]

    # -- REST
    def deep_request(self, instrument: Instrument) -> RestRequest | None:
        url = f"{REST}/api/v5/market/books-full?instId={quote(instrument.symbol)}&sz={DEEP_LEVELS}"
        return RestRequest("deep", url, 2, instrument.symbol)
