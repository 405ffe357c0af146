"""KuCoin Futures: perpetual and dated contracts in USDT and USDC (linear) and in coins (inverse). Facts as of 2026-11-22.

Two public sockets. The newer one (UTA) needs no token and sends JSON in binary frames: book and trades. The older one is reached by an
address with a token that is asked for by POST before each connection: mark and index price, whose form there is confirmed. XBT is BTC.
Sizes are lots: of `multiplier` coins, of one dollar where the contract is inverse.

Each frame of the book carries the range of its changes, O to C, which joins the C before it. The first whole frame comes 0.5 to 6.2 s
after the acknowledgement, changes before it mean nothing. A symbol that does not exist is acknowledged on both sockets and stays silent;
a second subscription is acknowledged and brings no new whole frame. The stream keeps 500 levels a side, which on bitcoin may be less
than 1%; the book over REST has 1000 of the same numbering.

Funding is read from the listing, with its next time: what of the two grains of `funding.rate` on the socket is the running rate is not
said. For 5 to 20 s after a settlement the listing still has the old rate. Trades with `rpi` (price improvement for retail) are counted.

Not given by the venue: liquidations (no public channel, neither in a list of forced orders nor among the trades), a checksum, the
longest silence of a channel, how many topics an older socket may hold, the weight of most requests (those of its documentation of 2025
stand in), the insurance fund; in which unit risk limits of inverse contracts are (read as coins) and whether a level's ratio holds for
the whole position (read so: the careful reading), an announcement before a socket is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, Final
from urllib.parse import urlencode, urlsplit

from engines.wire.grammar import MILLISECOND
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import kucoin_futures_facts as read
from monitor.venues import kucoin_futures_frames as wire
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.naming import coin_of
from monitor.venues.packing import pack, read_listing, symbols_in_order
from monitor.venues.reading import Reader, Record, dumps, given, request_number, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://x-push-futures.kucoin.com"
OLDER_SOCKET: Final = "wss://ws-api-futures.kucoin.com/"  # as handed out; the reply of TOKEN says
REST: Final = "https://api-futures.kucoin.com/api/v1"
TOKEN: Final = f"{REST}/bullet-public"
LISTING: Final = f"{REST}/contracts/active"

BOOKS_PER_CONNECTION: Final = 50  # 10 ms streams
TRADES_PER_CONNECTION: Final = 200
TICKERS_PER_CONNECTION: Final = 100
FIRST_SECONDS: Final = 15.0  # a whole book came after 6.2 s at most; what does not exist never speaks
BOOK_SILENCE: Final = 180.0
TICKER_SILENCE: Final = 60.0  # every second
LISTING_SECONDS: Final = 60.0
STATUS_SECONDS: Final = 60.0
TIERS_SECONDS: Final = 6 * 3600.0
LISTING_WEIGHT, SNAPSHOT_WEIGHT, STATUS_WEIGHT, TIERS_WEIGHT, TOKEN_WEIGHT = 3, 3, 4, 5, 10
KINDS: Final = ("FFWCSX", "FFICSX")  # perpetual; dated
NAMES: Final = {"XBT": "BTC"}
ERRORS: Final = ErrorCodes(
    code="code",
    text="msg",
    good=re.compile(rb'\s*\{\s*"code"\s*:\s*"200000"\s*[,}]'),
    good_code="200000",
    busy=("429000", "200002", "1015"),  # over the limit of the pool, of one address, of the shield before it
    busy_seconds=30,
)


class KucoinFutures(Venue):
    name: ClassVar[str] = "kucoin_futures"
    title: ClassVar[str] = "KuCoin Futures"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear", "inverse")
    limits: ClassVar[Limits] = Limits(
        connects=250,
        connects_window_seconds=300,
        topics_per_connection=TRADES_PER_CONNECTION,
        topics_per_frame=1,  # a list of symbols is refused
        frames_per_second=8,  # the older socket allows 100 in 10 s, the newer 300
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text='{"id":"0","type":"ping"}', interval_seconds=15, pong_timeout_seconds=10),
        rest_weight=2000,
        rest_window_seconds=30,
    )
    book: ClassVar[BookPolicy] = wire.POLICY
    liquidation_coverage: ClassVar[facts.Coverage] = "none"
    verification: ClassVar[str] = "O of each change is one above C of the one before; whole book on the stream"
    symbol_pattern: ClassVar[str] = r"^[0-9A-Z]{1,30}(USDTM|USDCM|USDM|M[FGHJKMNQUVXZ][0-9]{2})$"
    symbol_example: ClassVar[str] = "XBTUSDTM"
    inverse_symbols: ClassVar[str | None] = r".*(?<!USDT)(?<!USDC)M([FGHJKMNQUVXZ][0-9]{2})?"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", LISTING, LISTING_WEIGHT)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load_exact(body)), "data")
        # Before its market a contract has an index of the venue's own making.
        rows = [row for row in rows if row.get("type") in KINDS and row.get("marketStage") != "PRE_MARKET"]
        return read_listing(rows, self._instrument), None

    def _instrument(self, row: Record) -> Instrument:
        symbol = Reader(self.name, "instruments").text(row, "symbol")
        reader = Reader(self.name, "instruments", symbol)
        inverse = row.get("isInverse")
        if not isinstance(inverse, bool):
            raise reader.refused("isInverse is neither true nor false")
        multiplier = reader.decimal(row, "multiplier")
        if multiplier == 0 or (multiplier < 0) != inverse:
            raise reader.refused(f"multiplier {multiplier} of {'an inverse' if inverse else 'a linear'} contract")
        coin, settle = reader.text(row, "baseCurrency"), reader.text(row, "settleCurrency")
        asset, units = coin_of(NAMES.get(coin, coin))
        status = reader.text(row, "status")
        interval = reader.integer(row, "fundingRateGranularity") if given(row, "fundingRateGranularity") else 0
        return Instrument(
            venue=self.name,
            symbol=symbol,
            asset=asset,
            quote=reader.text(row, "quoteCurrency"),
            settle=NAMES.get(settle, settle),
            contract_type="inverse" if inverse else "linear",
            tick_size=reader.positive(row, "tickSize"),
            lot_size=reader.positive(row, "lotSize"),
            contract_size=abs(multiplier),
            unit_multiplier=units,
            trading=status == read.TRADED,
            status=status,
            funding_interval_seconds=interval // 1000 if interval >= 1000 else None,
        )

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        tickers = pack(
            self, "tickers", OLDER_SOCKET, [f"{wire.INSTRUMENT}:{symbol}" for symbol in symbols], TICKERS_PER_CONNECTION
        )
        token = RestRequest("address", TOKEN, TOKEN_WEIGHT, body="{}")
        return [
            *pack(self, "books", SOCKET, [f"obu:{symbol}" for symbol in symbols], BOOKS_PER_CONNECTION),
            *pack(self, "trades", SOCKET, [f"trade:{symbol}" for symbol in symbols], TRADES_PER_CONNECTION),
            *(ConnectionPlan(plan.name, plan.url, plan.topics, address=token) for plan in tickers),
        ]

    def address(self, plan: ConnectionPlan, body: bytes) -> str:
        reader = Reader(self.name, "address")
        data = reader.child(reader.record(reader.load(body)), "data")
        servers = reader.rows(data, "instanceServers")
        if not servers:
            raise reader.refused("instanceServers is empty")
        endpoint = reader.text(servers[0], "endpoint")
        if urlsplit(endpoint).scheme != "wss":
            raise reader.refused("endpoint is no wss address")
        return f"{endpoint}?{urlencode({'token': reader.text(data, 'token'), 'connectId': plan.name})}"

    def topic(self, key: str) -> Topic | None:
        name, _, symbol = key.partition(":")
        if not symbol:
            return None
        match name:
            case "obu":
                return Topic(key, Channel.BOOK, (symbol,), BOOK_SILENCE, book=wire.BOOK, first_seconds=FIRST_SECONDS)
            case "trade":
                return Topic(key, Channel.TRADES, (symbol,), trades=wire.TRADES)
            case wire.INSTRUMENT:
                return Topic(key, Channel.TICKER, (symbol,), TICKER_SILENCE, first_seconds=FIRST_SECONDS)
        return None

    def frame_key(self, frame: bytes) -> bytes | None:
        return wire.frame_key(frame)

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict):
            return None
        name, data = wire.TYPES.get(str(message.get("T"))), message.get("d")
        if name is not None and isinstance(data, dict) and isinstance(data.get("s"), str):
            return f"{name}:{data['s']}"
        topic = message.get("topic")
        return topic if message.get("type") == "message" and isinstance(topic, str) and topic else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics, request_id)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics, request_id)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        kind, number = message.get("type"), request_number(message.get("id"))
        if kind == "pong":
            return [base.Pong()]
        if kind == "welcome" or (message.get("message") == "welcome" and "sessionId" in message):
            return []
        if number and (kind == "ack" or message.get("result") is True):
            return [base.Acked(number)]
        if kind == "error":
            said = shown(f"{message.get('code')} {message.get('data')}")
        elif message.get("result") is False:
            said = shown(str(message.get("message") or message.get("reason")))
        else:
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        return [base.Refused(said, number) if number else base.ErrorSaid(said)]

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        reader = Reader(self.name, topic.channel, topic.symbols[0])
        message = reader.record(reader.load_exact(frame))
        if topic.channel is not Channel.TICKER:
            raise reader.refused("not a cold channel")
        reader.expect(message, "topic", topic.key)
        data = reader.child(message, "data")
        if message.get("subject") == "funding.rate":
            return []
        reader.expect(message, "subject", "mark.index.price")
        at = reader.time(data, "timestamp", MILLISECOND)
        return [
            facts.MarkPrice(reader.market, reader.positive(data, "markPrice"), at),
            facts.IndexPrice(reader.market, reader.positive(data, "indexPrice"), at),
        ]

    # -- REST
    def deep_request(self, instrument: Instrument) -> RestRequest | None:
        url = f"{REST}/level2/snapshot?symbol={instrument.symbol}"
        return RestRequest("deep", url, SNAPSHOT_WEIGHT, instrument.symbol)

    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{REST}/contracts/risk-limit/{instrument.symbol}"
        return [Poll(RestRequest("poll", url, TIERS_WEIGHT, instrument.symbol, key="margin_tiers"), TIERS_SECONDS)]

    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        status = RestRequest("poll", f"{REST}/status", STATUS_WEIGHT, key="status")
        figures = RestRequest("poll", LISTING, LISTING_WEIGHT, key="figures")
        return [Poll(status, STATUS_SECONDS), Poll(figures, LISTING_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        if request.key == "margin_tiers":
            levels = reader.rows(reader.record(reader.load_exact(body)), "data")
            return [read.margin_tiers(reader, levels)]
        reply = reader.record(reader.load(body))
        if request.key == "status":
            return [read.service(reader, reader.child(reply, "data"))]
        found = read_listing(reader.rows(reply, "data"), lambda row: read.figures(reader, row))
        return [fact for each in found for fact in each]

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _asked(event: str, topics: Sequence[Topic], request_id: int) -> str:
    if len(topics) != 1:
        raise ValueError(f"a frame asks for one topic, not {len(topics)}")
    key, number = topics[0].key, str(request_id)
    name, _, symbol = key.partition(":")
    if name == wire.INSTRUMENT:
        return dumps({"id": number, "type": event, "topic": key, "privateChannel": False, "response": True})
    asked = {"id": number, "action": event.upper(), "channel": name, "tradeType": "FUTURES", "symbol": symbol}
    return dumps(asked | ({"depth": wire.DEPTH} if name == "obu" else {}))
