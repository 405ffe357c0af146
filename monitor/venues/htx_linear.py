"""HTX USDT perpetuals (linear swaps of hbdm.com). Facts as of 2026-11-22.

Sizes are contracts of `contract_size` coins. Three sockets, each with a family of its own: market data, notifications (another protocol:
`op` and `cid`), index and mark. Every frame of the venue is a gzip member. It asks every 5 s whether we live, on every socket, and
hangs up after 20 s; a ping of ours is never answered. A frame of ours asks for one topic.

The book: 150 levels a side, changes with the size that is there now, `version` one above the last (empty changes too); what leaves the
best 150 comes with size 0. `data_type` must stand in every subscription: without it whole books come under the same name. A suspended
contract is acknowledged and stays silent. The first trade after subscribing is an old one, unmarked, and may come before the
acknowledgement. Liquidations come for all contracts at once: `direction` is the side of the ORDER (sell = a long was closed). HTX does
not say that it publishes every one, so they count as a sample. Stocks, metals and indices (`tradfi_labels`) are left out.

Margin tiers, unconfirmed (documentation of 2022): maintenance is the position's margin times an adjustment factor, so the ratio is factor
over leverage; a table for each leverage, of which we read that of the highest.

Not given by the venue: a checksum, levels beyond 150 a side (merged depths round by steps that no source confirms; REST has the same 150),
what kind of price a liquidation's is (the order's, or the bankruptcy price), whether open interest is one-sided (it is read so), how many
topics a connection holds (150 books were seen to work), an age at which it is cut, the longest silence of a book, deleveraging, a
clock in its status (the `ts` of `/heartbeat/` stands still in 2019).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar, Final

from engines.wire.grammar import SequenceRule
from monitor import facts
from monitor.errors import RetryLater, VenueError
from monitor.facts import Channel, Fact, Instrument
from monitor.venues import base
from monitor.venues import htx_linear_facts as read
from monitor.venues import htx_linear_topics as names
from monitor.venues.base import BookPolicy, ConnectionPlan, Limits, Ping, Poll, RestRequest, Topic, Venue
from monitor.venues.packing import pack, read_listing, read_rows, symbols_in_order
from monitor.venues.reading import Reader, dumps, request_number, shown
from monitor.venues.replies import check_status, subject

SOCKET: Final = "wss://api.hbdm.com/linear-swap-ws"
NOTIFICATIONS: Final = "wss://api.hbdm.com/linear-swap-notification"
INDEX: Final = "wss://api.hbdm.com/ws_index"
REST: Final = "https://api.hbdm.com/linear-swap-api/v1"

TOPICS_PER_CONNECTION: Final = 100
INTEREST_SECONDS: Final = 15.0  # one request brings all contracts
STATUS_SECONDS: Final = 30.0
TIERS_SECONDS: Final = 6 * 3600.0
BUSY_SECONDS: Final = 3.0  # the window of the request limit
TOO_MANY: Final = 1032
REPEATED: Final = 2014  # "Repeated subscription": we have it already
TOPIC_NAMED: Final = re.compile(r"invalid topic (\S{1,160})")
GOOD: Final = re.compile(rb'\s*\{\s*"status"\s*:\s*"ok"\s*,')


class HtxLinear(Venue):
    name: ClassVar[str] = "htx_linear"
    title: ClassVar[str] = "HTX USDT perpetuals"
    checked: ClassVar[date] = date(2026, 11, 22)
    contract_types: ClassVar[tuple[str, ...]] = ("linear",)
    limits: ClassVar[Limits] = Limits(
        connects=30,  # may stand at once; the rate is not given
        connects_window_seconds=60,
        topics_per_connection=TOPICS_PER_CONNECTION,
        topics_per_frame=1,
        frames_per_second=30,  # 40 subscriptions a second, answers to pings among ours
        operations_per_hour=None,
        lifetime_seconds=None,
        max_frame_bytes=4 << 20,
        ack_timeout_seconds=10,
        ping=Ping(text=None, interval_seconds=30, pong_timeout_seconds=20),
        rest_weight=240,  # requests of one address ...
        rest_window_seconds=3,
        silence_seconds=15,  # it pings every 5 s
    )
    book: ClassVar[BookPolicy] = BookPolicy(SequenceRule("counter"), changes_at_any_price=False, window=names.LEVELS)
    liquidation_coverage: ClassVar[facts.Coverage] = "sampled"
    verification: ClassVar[str] = "version of each update is one above the last; snapshot on the stream"
    symbol_pattern: ClassVar[str] = rf"^{names.CODE}$"
    symbol_example: ClassVar[str] = "BTC-USDT"

    # -- instruments
    def instrument_requests(self, symbols: Sequence[str]) -> list[RestRequest]:
        return [RestRequest("instruments", f"{REST}/swap_contract_info?business_type=swap", weight=1)]

    def parse_instruments(self, request: RestRequest, body: bytes) -> tuple[list[Instrument], RestRequest | None]:
        reader = Reader(self.name, "instruments")
        rows = reader.rows(reader.record(reader.load_exact(body)), "data")
        coins = [row for row in rows if not row.get("tradfi_labels")]
        return read_listing(coins, lambda row: read.instrument(self.name, row)), None

    # -- sockets
    def connections(self, instruments: Sequence[Instrument]) -> list[ConnectionPlan]:
        symbols = symbols_in_order(instruments)
        if not symbols:
            return []
        hot = [f"market.{symbol}.{kind}" for symbol in symbols for kind in ("depth.size_150.high_freq", "trade.detail")]
        notices = [names.LIQUIDATIONS, names.CONTRACTS, *(f"public.{symbol}.funding_rate" for symbol in symbols)]
        prices = [f"market.{symbol}.{kind}" for symbol in symbols for kind in names.PRICES]
        asked = (("market", SOCKET, hot), ("notices", NOTIFICATIONS, notices), ("prices", INDEX, prices))
        return [
            replace(plan, encoding="gzip")
            for name, url, keys in asked
            for plan in pack(self, name, url, keys, TOPICS_PER_CONNECTION)
        ]

    def topic(self, key: str) -> Topic | None:
        return names.topic(key)

    def frame_key(self, frame: bytes) -> bytes | None:
        return names.frame_key(frame)

    def slow_frame_key(self, frame: bytes) -> str | None:
        message = Reader(self.name, "frame").load(frame)
        return names.message_key(message) if isinstance(message, dict) else None

    def subscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("sub", topics, request_id)

    def unsubscribe(self, topics: Sequence[Topic], request_id: int) -> str:
        return _asked("unsub", topics, request_id)

    def control(self, frame: bytes) -> list[base.Control]:
        reader = Reader(self.name, "control")
        message = reader.record(reader.load(frame))
        if "op" in message:
            return [self._notice_control(reader, message, frame)]
        if "ping" in message:
            reader.integer(message, "ping")
            return [base.PingAsked(dumps({"pong": message["ping"]}))]
        number = request_number(message.get("id"))
        if message.get("status") == "error":
            said = shown(f"{message.get('err-code')} {message.get('err-msg')}")
            named = TOPIC_NAMED.search(str(message.get("err-msg")))
            keys = (named[1],) if named and self.topic(named[1]) is not None else ()
            if number is None and not keys:
                return [base.ErrorSaid(said)]
            return [base.Refused(said, number, keys if number is None else ())]
        for word in ("subbed", "unsubbed"):
            if message.get("status") == "ok" and word in message:
                named_keys = (reader.text(message, word),) if number is None else ()
                return [base.Acked(number, named_keys, unsubscribed=word == "unsubbed")]
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    def _notice_control(self, reader: Reader, message: dict[str, object], frame: bytes) -> base.Control:
        match message["op"]:
            case "ping":
                reader.integer(message, "ts")
                return base.PingAsked(dumps({"op": "pong", "ts": message["ts"]}))  # a text or a number, as it came
            case "close" | "error":
                return base.ShutdownAnnounced(shown(frame))
            case "sub" | "unsub":
                number, code = request_number(message.get("cid")), reader.integer(message, "err-code")
                keys = (reader.text(message, "topic"),) if number is None else ()
                if code == 0 or (code == REPEATED and message["op"] == "sub"):
                    return base.Acked(number, keys, unsubscribed=message["op"] == "unsub")
                return base.Refused(shown(f"{code} {message.get('err-msg')}"), number, keys)
        raise reader.refused(f"unknown frame: {shown(frame)!r}")

    # -- facts
    def parse(self, topic: Topic, frame: bytes) -> list[Fact]:
        if topic.channel is Channel.OTHER:
            return []
        reader = Reader(self.name, topic.channel, topic.symbols[0] if topic.symbols else "")
        message = reader.record(reader.load_exact(frame))
        if topic.key == names.LIQUIDATIONS:
            coverage = self.liquidation_coverage
            return read_rows(reader.rows(message, "data"), lambda row: [read.liquidation(reader, row, coverage)])
        if topic.channel not in (Channel.TICKER, Channel.STATUS):
            raise reader.refused("not a cold channel")
        at = reader.time(message, "ts")
        if topic.key == names.CONTRACTS:
            return read_rows(reader.rows(message, "data"), lambda row: [read.contract(reader, row, at)])
        reader.expect(message, "topic" if topic.key.startswith("public.") else "ch", topic.key)
        if topic.key.startswith("public."):
            return [read.funding(reader, row, at) for row in reader.rows(message, "data")]
        return [read.price(reader, reader.child(message, "tick"), at, is_mark="mark_price" in topic.key)]

    # -- REST
    def venue_polls(self, instruments: Sequence[Instrument]) -> list[Poll]:
        interest = RestRequest("poll", f"{REST}/swap_open_interest", 1, key="open_interest")
        status = RestRequest("poll", "https://api.hbdm.com/heartbeat/", 1, key="status")
        tiers = RestRequest("poll", f"{REST}/swap_cross_adjustfactor", 1, key="margin_tiers")
        return [Poll(interest, INTEREST_SECONDS), Poll(status, STATUS_SECONDS), Poll(tiers, TIERS_SECONDS)]

    def parse_poll(self, request: RestRequest, body: bytes) -> list[Fact]:
        reader = Reader(self.name, request.key)
        message = reader.record(reader.load_exact(body))
        if request.key == "status":
            return [read.heartbeat(reader, reader.child(message, "data"))]
        at, rows = reader.time(message, "ts"), reader.rows(message, "data")
        if request.key == "margin_tiers":
            return read_listing(rows, lambda row: read.margin_tiers(reader, row, at))
        return read_listing(rows, lambda row: read.open_interest(reader, row, at))

    def check_reply(self, request: RestRequest, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Errors come with HTTP 200; the code is a text under `err-code` or a number under `err_code`."""
        window = self.limits.rest_window_seconds
        check_status(self.name, request, status, headers, body, window_seconds=window)
        if status < 300 and GOOD.match(body):
            return
        reply = Reader(self.name, request.purpose).load(body)
        answer: dict[str, object] = reply if isinstance(reply, dict) else {}
        if status < 300 and answer.get("status") == "ok":
            return
        code = answer.get("err_code", answer.get("err-code"))
        text = answer.get("err_msg", answer.get("err-msg"))
        said = f"{subject(self.name, request)}: HTTP {status}, {shown(f'{code} {text}')}"
        raise RetryLater(said, BUSY_SECONDS) if code in (TOO_MANY, str(TOO_MANY)) else VenueError(said)


def _asked(op: str, topics: Sequence[Topic], request_id: int) -> str:
    (topic,) = topics
    if topic.key.startswith("public."):
        return dumps({"op": op, "cid": str(request_id), "topic": topic.key})
    changes = {"data_type": "incremental"} if topic.key.endswith("high_freq") and op == "sub" else {}
    return dumps({op: topic.key, **changes, "id": str(request_id)})
