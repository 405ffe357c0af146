"""What Binance's two futures markets share: listing, mark price, liquidations, brackets, open interest. Facts as of 2026-11-22.

Since 2026-06-30 the all-market streams of both carry the merged universe (`st` 1: USD-margined, 2: coin-margined), and both hosts
share one budget of 2,400 weight a minute and address; each sees the other's use in the header `X-MBX-USED-WEIGHT-1M`.
Liquidations: `S` is the side of the ORDER; at most one print a symbol and second (the largest or the latest, the venue's pages
differ), a sample. Brackets come on a stream when they change; the endpoint that lists them wants a key, of which reading is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Final, Literal
from urllib.parse import quote, urlencode

import orjson

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import binance
from monitor.venues.base import BookPolicy, Credentials, Limits, LiquidationRule, Ping, Poll, RestRequest, Topic
from monitor.venues.binance_tiers import listed_brackets
from monitor.venues.packing import read_listing
from monitor.venues.reading import Reader, Record, dumps, given

SNAPSHOT_LEVELS: Final = 1000
SNAPSHOT_WEIGHT: Final = 20
DEPTH_SILENCE: Final = 30.0  # pushed every 100 ms when anything changes; the quietest markets change within seconds
MARK_SILENCE: Final = 10.0  # pushed every second, changed or not
OPEN_INTEREST_SECONDS: Final = 30.0  # 60 markets cost 120 of 2,400 weight a minute
BRACKETS: Final = "leverage_bracket"
BRACKETS_SECONDS: Final = 3600.0  # the stream tells what changes in between
BRACKETS_WEIGHT: Final = 1  # the venue's count comes back in a header
SIGNATURE_GOOD_MS: Final = 10_000  # how late a signed request may arrive; the venue allows 60 s
MILLISECOND_NS: Final = 1_000_000
DEFAULT_FUNDING_HOURS: Final = 8  # fundingInfo lists only symbols whose settings were adjusted
MARKET_STREAMS: Final = ("aggTrade", "markPrice@1s", "forceOrder")
CLOSED_BY: Final[dict[str, facts.Position]] = {"SELL": "long", "BUY": "short"}
# Coin-margined symbols: BTCUSD_PERP, BTCUSD_200925, BNBUSD_210625. The retired BTCBUSD_210129 was margined in the coin BUSD.
COIN_MARGINED: Final = re.compile(r".+_PERP|(?!(?:BTC|ETH)BUSD_).+USD_\d{6}")

LIMITS: Final = Limits(
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
    rest_weight=2400,  # one budget for both hosts
    rest_window_seconds=60,
    used_weight_header="x-mbx-used-weight-1m",
)
BOOK: Final = BookPolicy(
    sequence=SequenceRule("range_with_previous"),
    changes_at_any_price=True,
    window=None,
    snapshot_grammar=binance.SNAPSHOT,
    snapshot_levels=SNAPSHOT_LEVELS,
)


def coin_margined(symbol: str, *records: Record) -> bool:
    """The merged streams mark them `st` 2, but the venue's own example shows a 1: the symbol's form decides with it."""
    return any(record.get("st") == 2 for record in records) or COIN_MARGINED.fullmatch(symbol) is not None


class BinanceFutures(binance.BinanceVenue):
    """One of the two: what belongs to the other one on a merged stream is left out."""

    limits: ClassVar[Limits] = LIMITS
    book: ClassVar[BookPolicy] = BOOK
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    verification: ClassVar[str] = (
        "pu of each change equals u of the one before; seeded by a REST snapshot of 1,000 levels"
    )
    signed_tiers: ClassVar[bool] = True
    liquidation: ClassVar[LiquidationRule] = LiquidationRule(
        "Binance: equity meets the requirement of the bracket at the mark price, without the closing fee"
    )
    changes = binance.FUTURES_CHANGE
    depth = frozenset({"depth", "depth@0ms", "depth@100ms", "depth@250ms", "depth@500ms"})
    depth_silence = DEPTH_SILENCE
    snapshot_weight = SNAPSHOT_WEIGHT
    coin_margined: ClassVar[bool]
    status_key: ClassVar[str]
    brackets_url: ClassVar[str]
    tier_unit: ClassVar[Literal["quote", "base"]]

    def _ours(self, symbol: str, *records: Record) -> bool:
        return coin_margined(symbol, *records) == self.coin_margined

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        """The adjusted funding intervals come first: they travel in the `key` of the next page, which is the listing."""
        return [RestRequest("instruments", f"{self.rest}/fundingInfo", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        reply = reader.load(body)
        if not request.key:
            rows = reader.records(reply, "fundingInfo")
            told = {reader.text(row, "symbol"): reader.integer(row, "fundingIntervalHours") for row in rows}
            # An interval of no sense is unknown, and not the default.
            hours = {symbol: interval if 1 <= interval <= 24 else None for symbol, interval in told.items()}
            return [], RestRequest("instruments", f"{self.rest}/exchangeInfo", weight=1, key=dumps(hours))
        hours = orjson.loads(request.key)
        rows = reader.rows(reader.record(reply), "symbols")
        return read_listing(rows, lambda row: self._with_funding(row, hours)), None

    def _with_funding(self, row: Record, hours: dict[str, int | None]) -> Instrument:
        instrument = self.instrument(row)
        # Delivery contracts pay no funding.
        perpetual = "PERPETUAL" in str(row.get("contractType"))
        interval = hours.get(instrument.symbol, DEFAULT_FUNDING_HOURS) if perpetual else None
        return replace(instrument, funding_interval_seconds=None if interval is None else interval * 3600)

    def listed(self, reader: Reader, row: Record, instrument: Instrument) -> Instrument:
        status = reader.text(row, self.status_key)
        return replace(
            instrument,
            settle=reader.text(row, "marginAsset"),
            contract_type="inverse" if self.coin_margined else "linear",
            # US dollars a contract; sizes of the USD-margined ones are coins.
            contract_size=reader.positive(row, "contractSize") if self.coin_margined else instrument.contract_size,
            trading=status == "TRADING",
            status=status,
        )

    # -- sockets
    def all_market_topic(self, key: str, stream: str) -> Topic | None:
        if stream == binance.FORCE_ORDERS:
            return Topic(key, Channel.LIQUIDATIONS, ())
        if stream == binance.LISTINGS:
            return Topic(key, Channel.STATUS, ())
        return super().all_market_topic(key, stream)

    def cold_topic(self, key: str, symbol: str, suffix: str) -> Topic | None:
        if suffix in ("markPrice", "markPrice@1s"):
            return Topic(key, Channel.TICKER, (symbol,), MARK_SILENCE)
        return Topic(key, Channel.LIQUIDATIONS, (symbol,)) if suffix == "forceOrder" else None

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        load = reader.load_exact if topic.channel is Channel.STATUS else reader.load  # brackets are bare decimals
        message = reader.record(load(frame))
        data = message if topic.key.startswith(binance.RAW) else reader.child(message, "data")
        match topic.channel:
            case Channel.TICKER:
                return self.ticker(reader, topic, data)
            case Channel.LIQUIDATIONS:
                return self._force_order(reader, data)
            case Channel.STATUS:
                return self._contract_info(reader, data)
        raise reader.refused("not a cold channel")

    def ticker(self, reader: Reader, topic: Topic, data: Record) -> list[Fact]:
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
        if not self._ours(symbol, data, order):
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
        if not self._ours(symbol, data):
            return []
        at = reader.time(data, "E")
        found: list[Fact] = [facts.InstrumentChanged(symbol, status == "TRADING", status, at)]
        if data.get("bks"):
            tiers = sorted((_tier(reader, row) for row in reader.rows(data, "bks")), key=lambda tier: tier.floor)
            found.append(facts.MarginTiers(symbol, tuple(tiers), self.tier_unit, whole=False, venue_time=at))
        return found

    # -- REST
    def polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{self.rest}/openInterest?symbol={quote(instrument.symbol)}"
        request = RestRequest("poll", url, 1, instrument.symbol, "open_interest")
        return [Poll(request, OPEN_INTEREST_SECONDS), *super().polls(instrument)]

    def signed_polls(self, instrument: Instrument) -> list[Poll]:
        url = f"{self.brackets_url}?symbol={quote(instrument.symbol)}"
        return [Poll(RestRequest("poll", url, BRACKETS_WEIGHT, instrument.symbol, BRACKETS), BRACKETS_SECONDS)]

    def needs_signature(self, request: RestRequest) -> bool:
        return request.key == BRACKETS

    def sign(self, request: RestRequest, credentials: Credentials, at: int) -> tuple[str, Mapping[str, str]]:
        path, _, asked = request.url.partition("?")
        when = urlencode({"recvWindow": SIGNATURE_GOOD_MS, "timestamp": at // MILLISECOND_NS})
        query = f"{asked}&{when}" if asked else when
        signature = hmac.new(credentials.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{path}?{query}&signature={signature}", {"X-MBX-APIKEY": credentials.key}

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        if request.key != BRACKETS:
            return super().parse_poll(request, body)
        reader = Reader(self.name, request.key, request.symbol or "")
        listed = reader.load_exact(body)
        rows = [listed] if isinstance(listed, dict) else listed  # of one symbol the venue may leave out the array
        return [listed_brackets(reader, row, self.tier_unit) for row in reader.records(rows, "the reply")]

    def polled(self, reader: Reader, reply: object) -> list[Fact]:
        interest = reader.record(reply)
        reader.expect(interest, "symbol", reader.market)
        quantity = reader.decimal(interest, "openInterest")
        return [facts.OpenInterest(reader.market, quantity, None, reader.time(interest, "time"))]


def _tier(reader: Reader, row: Record) -> facts.MarginTier:
    """{"bs":1,"bnf":0,"bnc":5000,"mmr":0.01,"cf":0,"mi":21,"ma":50}: floor and cap of the notional, ratio, auxiliary amount."""
    return facts.MarginTier(
        floor=reader.decimal(row, "bnf"),
        cap=reader.positive(row, "bnc"),
        maintenance_ratio=reader.positive(row, "mmr"),
        max_leverage=reader.positive(row, "ma"),
        deduction=reader.decimal(row, "cf"),
    )
