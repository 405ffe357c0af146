"""Hyperliquid perpetuals of the first dex: linear, in USDC, sizes in coins. Facts as of 2026-11-22, most of them probed in September 2026.

Every book frame is the whole book of a few levels, with its time and nothing else. Since June 2026 the plain stream comes every 5.4 s
with 20 levels; `fast` brings 5 levels every 0.54 s: that is the book here. `nSigFigs` streams (20 buckets every 5.4 s) say what lies beyond.
Frames do not tell which of these streams they are: each has sockets of its own, and only the acknowledgement, which repeats what was asked,
says what `l2Book` of a coin means on a connection; before it nothing is read.

Prices have at most 5 significant figures and 6 - szDecimals decimals, whole ones are always allowed: `tick_size` is the last decimal, the step
that is quoted grows with the price. `k` before a name is a thousand coins. `side` is the taker's: B bought, A sold. Trade ids do not grow.
A subscription to trades begins with old ones, which nothing marks.

No channel has liquidations. Fills of any account are public, and one that met a liquidation says so on both of its sides: the accounts of the
protocol's own vaults are watched (as listed in 2026), which sees what met their orders and what the liquidators took over, a sample.
Market liquidations between others are seen by nobody. What a vault bought, a long had to sell.

A name the venue does not know (also in the wrong case) ends the socket without a word, with all that is on it. An address may hold 10 sockets,
1000 subscriptions and 10 watched accounts: with many markets the coarse streams are left out, the finest first; beyond 314 also the
contexts, beyond 471 the trades of the last names of the alphabet, beyond 942 their books: what is missing there is said to be unknown.

Not given by the venue: checksums, sequence numbers, a tick size, a time in `activeAssetCtx`, the time of the next funding, all liquidations,
auto-deleveraging and insurance fund, which way `nSigFigs` rounds (read as away from the mid), what `specialStatuses` may hold (any is taken
for a halt), the age at which connections are cut. Not used: `exchangeStatus.time`, which falls behind while the chain
stands (the times of the books do so too, or no frame comes). Maintenance margin is said to be half of the initial one at a tier's leverage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final

from engines.wire.grammar import MILLISECOND, SequenceRule
from monitor import facts
from monitor.errors import FrameError
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import hyperliquid_facts as read
from monitor.venues import hyperliquid_topics as streams
from monitor.venues.base import (
    BookPolicy,
    ConnectionPlan,
    Limits,
    LiquidationRule,
    Ping,
    Poll,
    RestRequest,
    Topic,
    Venue,
)
from monitor.venues.candles import CANDLES, CandleForm, candles_poll, last_week, read_candles
from monitor.venues.hyperliquid_topics import (
    FAST,
    FAST_LEVELS,
    LAYERS,
    NAME,
    OF_ALL,
    acked,
    book_key,
    key_of,
    subscription_of,
)
from monitor.venues.packing import pack, read_listing
from monitor.venues.reading import Reader, dumps, shown
from monitor.venues.replies import ErrorCodes, check_reply

SOCKET: Final = "wss://api.hyperliquid.xyz/ws"
INFO: Final = "https://api.hyperliquid.xyz/info"
# {"t":1770285600000,"T":1770289199999,"s":"BTC","i":"1h","o":"73000.0","c":"73010.0","h":"73100.0","l":"72950.0","v":"812.345","n":4210}
CANDLE: Final = CandleForm("t", "l", "h", "c", "v")
CANDLES_WEIGHT: Final = 23  # 20, and one more for each 60 candles

# HLP's strategies A, B and X, its liquidators 1 to 4, and the liquidator that stands alone.
VAULTS: Final = (
    "0x010461c14e146ac35fe42271bdc1134ee31c703a",
    "0x31ca8395cf837de08b24da3f660e77761dfb974b",
    "0x469f690213c467c39a23efacfd2816896009d7d8",
    "0x2e3d94f0562703b25c83308a05046ddaf9a8dd14",
    "0xb0a55f13d22f66e6d495ac98113841b2326e9540",
    "0x5e177e5e39c0f4e421f5865a6d8beed8d921cb70",
    "0x2ed5c4484ea3ff8b57d5f2fb152a40d9f2b68308",
    "0x63c621a33714ec48660e32f2374895c8026a3a00",
)
SUBSCRIPTIONS: Final = 950  # of 1000 an address: the rest is for what is asked twice while a connection is replaced
PER_CONNECTION: Final = 300  # 356 were taken
STATUS_SECONDS, TIERS_SECONDS = 20.0, 6 * 3600.0

OF_COIN: Final = ("l2Book", "activeAssetCtx", "activeSpotAssetCtx", "bbo")
HEAD: Final = re.compile(rb'\{"channel":"(l2Book|trades|activeAssetCtx)","data":\[?\{"coin":"(%s)"' % NAME.encode())
ASKED_IN_ERROR: Final = re.compile(r"(Already (?:un)?subscribed)?[^{]*(\{.*\})", re.DOTALL)
ERRORS: Final = ErrorCodes(
    code="error",
    text="message",
    good=re.compile(rb'\s*\{\s*"(?:universe|specialStatuses|time)"'),
    good_code=None,
    busy=(),
    busy_seconds=10,
)


class Hyperliquid(Venue):
    name: ClassVar[str] = "hyperliquid"
    title: ClassVar[str] = "Hyperliquid perpetuals"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=30,
        connects_window_seconds=60,
        topics_per_connection=PER_CONNECTION,
        topics_per_frame=1,
        frames_per_second=20,  # 2000 messages a minute over all sockets: everything may be asked twice in one
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,  # a vault's last fills
        ack_timeout_seconds=10,
        # A socket to which the venue sent nothing for 60 s is closed.
        ping=Ping(text='{"method":"ping"}', interval_seconds=20, pong_timeout_seconds=20),
        rest_weight=1200,
        rest_window_seconds=60,
        fatal_subscribe_seconds=2.0,  # it dies after 0.1 s
    )
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("snapshots"), changes_at_any_price=False, window=FAST_LEVELS)
    liquidation_coverage: ClassVar[facts.Coverage] = "inferred"
    liquidation: ClassVar[LiquidationRule] = LiquidationRule(
        "Hyperliquid: from the mark, account value less the requirement there, without the closing fee",
        from_account=True,
    )
    verification: ClassVar[str] = "every frame is the whole book of 5 levels, every 0.54 s; older ones are dropped"
    symbol_pattern: ClassVar[str] = r"^k?[0-9A-Z]{1,24}$"
    symbol_example: ClassVar[str] = "BTC"
    aliased: ClassVar[bool] = True

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [_info("instruments", "meta", 20)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        meta = read.first_dex(reader, body)
        return read_listing(reader.rows(meta, "universe"), lambda row: read.instrument(reader, row)), None

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        """Of coins that trade: a delisted one is taken, and its book is empty. What has no room is left out, last names first."""
        coins = sorted({instrument.symbol for instrument in instruments if instrument.trading})
        if not coins:
            return []
        books = [book_key(FAST, coin) for coin in coins]
        trades, contexts = [f"trades:{coin}" for coin in coins], [f"activeAssetCtx:{coin}" for coin in coins]
        kept = {*[*books, *trades, *contexts][: SUBSCRIPTIONS - len(VAULTS)]}
        keys = [key for row in zip(books, trades, contexts, strict=True) for key in row if key in kept]
        keys += [f"userFills:{vault}" for vault in VAULTS]
        room = max(0, SUBSCRIPTIONS - len(keys)) // len(coins)
        plans = pack(self, "markets", SOCKET, keys, PER_CONNECTION)
        for figures in LAYERS[:room]:
            layer = [book_key(str(figures), coin) for coin in coins]
            plans += pack(self, f"figures-{figures}", SOCKET, layer, PER_CONNECTION)
        return plans

    def topic(self, key: str) -> Topic | None:
        return streams.topic(key)

    def frame_key(self, frame: bytes) -> bytes | None:
        found = HEAD.match(frame)
        return None if found is None else found[1] + b":" + found[2]

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        if not isinstance(message, dict):
            return None
        channel, data = message.get("channel"), message.get("data")
        if channel in OF_ALL:
            return str(channel)
        if channel == "trades" and isinstance(data, list) and data:
            data = data[0]
        elif channel not in (*OF_COIN, "userFills"):
            return None
        what = data.get("user" if channel == "userFills" else "coin") if isinstance(data, dict) else None
        return f"{channel}:{what.lower() if channel == 'userFills' else what}" if isinstance(what, str) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("subscribe", topics)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsubscribe", topics)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        channel, data = message.get("channel"), message.get("data")
        if channel == "pong":
            return [base.Pong()]
        if channel == "trades" and data == []:
            return []
        if channel == "error":
            return [self._error(reader, data if isinstance(data, str) else dumps(data))]
        if channel != "subscriptionResponse":
            raise reader.refused(f"unknown frame: {shown(frame)!r}")
        answered = reader.child(message, "data")
        key = key_of(reader.child(answered, "subscription"))
        if key is None or answered.get("method") not in ("subscribe", "unsubscribe"):
            raise reader.refused(f"an answer to nothing we ask: {shown(frame)!r}")
        return [acked(key, unsubscribed=answered["method"] == "unsubscribe")]

    def _error(self, reader: Reader, said: str) -> base.Control:
        """Most errors repeat what was asked. To have it already is as good as a confirmation."""
        found = ASKED_IN_ERROR.match(said)
        if found is not None:
            try:
                asked = reader.record(reader.load(found[2]))
                inner = asked.get("subscription", asked)
                key = key_of(inner) if isinstance(inner, dict) else None
            except FrameError:
                key = None
            if key is not None and found[1]:
                return acked(key, unsubscribed=found[1] == "Already unsubscribed")
            if key is not None:
                return base.Refused(shown(said), None, (key,))
        return base.ErrorSaid(shown(said))

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        data = reader.child(reader.record(reader.load(frame)), "data")
        if topic.channel is Channel.TICKER:
            reader.expect(data, "coin", reader.market)
            return read.context(reader, reader.child(data, "ctx"))
        if topic.channel is not Channel.LIQUIDATIONS:
            raise reader.refused("not a cold channel")
        return read.liquidations(reader, data, topic.key.partition(":")[2], VAULTS, self.liquidation_coverage)

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        status, tiers = _info("poll", "exchangeStatus", 2, key="status"), _info("poll", "meta", 20, key="margin_tiers")
        return [Poll(status, STATUS_SECONDS), Poll(tiers, TIERS_SECONDS)]

    def polls(self, instrument: Instrument) -> list[Poll]:
        return [candles_poll(INFO, CANDLES_WEIGHT, instrument.symbol, _candles(instrument.symbol, 0))]

    def dated_request(self, request: RestRequest, at: int) -> RestRequest:
        return replace(request, body=_candles(request.symbol or "", at)) if request.key == CANDLES else request

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key, request.symbol or "")
        if request.key == CANDLES:
            return read_candles(reader, reader.load(body), CANDLE)
        if request.key == "margin_tiers":
            return list(read.margin_tiers(reader, read.first_dex(reader, body)))
        return read.status(reader, reader.record(reader.load(body)))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        check_reply(self.name, request, status, headers, body, ERRORS, self.limits.rest_window_seconds)


def _candles(coin: str, at: int) -> str:
    start, end = (time // MILLISECOND for time in last_week(at))
    req = {"coin": coin, "interval": "1h", "startTime": start, "endTime": end - 1}
    return dumps({"type": "candleSnapshot", "req": req})


def _info(purpose: base.RestPurpose, kind: str, weight: int, key: str = "") -> RestRequest:
    return RestRequest(purpose, INFO, weight, key=key, body=dumps({"type": kind}))


def _asked(method: str, topics: Sequence[Topic]) -> str:
    if len(topics) != 1:
        raise ValueError(f"one frame asks for one subscription, not for {len(topics)}")
    return dumps({"method": method, "subscription": subscription_of(topics[0])})
