"""Bitfinex v2 as a client meets it: each subscription gets a number on its connection, and so do all frames once asked for.

A status key that does not exist is not answered at all. Beyond the allowed connections a minute an address is turned away, beyond the
allowed channels a subscription is. A subscription that is there is not told its number again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

CHANNELS_PER_CONNECTION = 25  # of two pages the stricter one; 36 were seen to pass
CONNECTS, CONNECT_SECONDS = 20, 60
CHECKSUMS, NUMBERS, TIMES, BULK = 131_072, 65_536, 32_768, 536_870_912  # what can be asked for
KNOWN_FLAGS = CHECKSUMS | NUMBERS
PRECISIONS, LENGTHS = ("P0", "P1", "P2"), ("250",)  # what this simulator publishes of them
FIRST_CHANNEL = 759_361
REQUESTS = {"tickers": 30, "platform": 30, "conf": 90}  # a minute
LIQUIDATIONS = "status:liq:global"
KINDS = {"book": Channel.BOOK, "trades": Channel.TRADES, "status": Channel.TICKER}


class BitfinexFront(Front):
    venue = "bitfinex"
    numbers = True
    idle_close_seconds = 60.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._connects = WeightWindow(CONNECTS, CONNECT_SECONDS)
        self._requests = {name: WeightWindow(most, 60) for name, most in REQUESTS.items()}

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | RestReply | None:
        if path.rstrip("/") != "/ws/2":
            return None
        if not self._connects.spend(1, now):
            return self.rest_error(429, None)
        session = Session(number, "2", "raw", now, last_active=now)
        session.memory = {"flags": 0, "channels": {}, "next": FIRST_CHANNEL + 1000 * number}
        return session

    def welcome(self, session: Session) -> list[str]:
        server = f"fb5877a3-0000-4000-8000-{session.number:012d}"
        return [_event("info", version=2, serverId=server, platform={"status": 1})]

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Answer()  # not answered
        match message.get("event") if isinstance(message, dict) else None:
            case "ping":
                return Answer([_event("pong", ts=now // 1_000_000, cid=message.get("cid"))])
            case "conf":
                return self._configured(session, message.get("flags"))
            case "subscribe":
                return self._join(session, message)
            case "unsubscribe":
                return self._leave(session, message.get("chanId"))
        return Answer([_event("error", msg="unknown event", code=10000)])

    def _configured(self, session: Session, flags: object) -> Answer:
        if not isinstance(flags, int) or flags & ~(KNOWN_FLAGS | TIMES | BULK):
            return Answer([_event("conf", status="FAILED", flags=flags)])
        session.memory["flags"] = flags & KNOWN_FLAGS
        return Answer([_event("conf", status="OK", flags=flags)])

    def _join(self, session: Session, message: dict[str, Any]) -> Answer:
        channel = message.get("channel")
        asked: dict[str, str] = {
            name: str(message[name]) for name in ("symbol", "prec", "freq", "len", "key") if name in message
        }
        if channel == "book":
            asked = {"prec": "P0", "freq": "F0", "len": "25", **asked}
        symbol = asked.get("symbol", "")
        if symbol and not symbol.startswith("t"):
            asked["symbol"] = symbol = f"t{symbol}"  # taken without its letter too
        parts = {"book": ("prec", "len", "symbol"), "trades": ("symbol",), "status": ("key",)}.get(str(channel))
        if parts is None:
            return _refused(message, "channel: unknown", 10300)
        key = ":".join([str(channel), *(asked.get(part, "") for part in parts)])
        treatment = self.treat(key)
        if treatment.refuse or not self.knows(key):
            if channel == "status" and not treatment.refuse:
                return Answer()  # an unknown key is met with silence
            return _refused(message, "symbol: invalid", 10300)
        channels = session.memory["channels"]
        if key in channels:
            return _refused(message, "subscribe: dup", 10301)
        if len(channels) >= CHANNELS_PER_CONNECTION:
            return _refused(message, "subscribe: limit", 10305)
        session.memory["next"] += 1
        channels[key] = number = session.memory["next"]
        session.topics[key] = None
        pair = {"pair": symbol.removeprefix("t")} if symbol else {}
        ack = _event("subscribed", channel=channel, chanId=number, **asked, **pair)
        return Answer([] if treatment.no_ack else [ack], subscribed=[key])

    def _leave(self, session: Session, number: object) -> Answer:
        channels = session.memory["channels"]
        key = next((key for key, each in channels.items() if each == number), None)
        if key is None:
            return Answer([_event("error", msg="unsubscribe: invalid", code=10400, chanId=number)])
        del channels[key]
        session.topics.pop(key)
        return Answer([_event("unsubscribed", status="OK", chanId=number)], unsubscribed=[key])

    def shutdown_notice(self, session: Session) -> str | None:
        return _event("info", code=20051, msg="Stopping. Please try to reconnect")

    def describe(self, key: str) -> tuple[Channel, str]:
        if key == LIQUIDATIONS:
            return Channel.LIQUIDATIONS, ""
        channel, _, about = key.partition(":")
        symbol = about.split(":", 2)[-1] if channel == "book" else about.removeprefix("deriv:")
        return KINDS.get(channel, Channel.OTHER), symbol

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        """The writer's frame is what follows the channel's number. Who did not ask for checksums gets a heartbeat more."""
        if data.startswith(b'"cs"') and not session.memory["flags"] & CHECKSUMS:
            data = b'"hb"'
        return b"[%d,%b]" % (session.memory["channels"].get(key, 0), data)

    def envelope_kind(self, session: Session) -> str:
        return str(session.number)

    def number(self, session: Session, data: bytes) -> bytes:
        """Arrays alone are counted."""
        if not session.memory["flags"] & NUMBERS or not data.startswith(b"["):
            return data
        session.numbered += 1
        return b"%b,%d]" % (data[:-1], session.numbered)

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        window = self._requests.get(path.removeprefix("/v2/").split("/")[0])
        return None if window is None or window.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        body = b'{"error":"ERR_RATE_LIMIT"}' if status == 429 else b'["error",20060,"maintenance"]'
        return RestReply(status, body, headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b'["error",10020,"symbol: invalid"]')


def _event(event: str, **members: object) -> str:
    return orjson.dumps({"event": event, **members}).decode()


def _refused(message: dict[str, Any], said: str, code: int) -> Answer:
    """An error names what was asked for."""
    asked = {name: value for name, value in message.items() if name != "event"}
    return Answer([orjson.dumps({**asked, "event": "error", "msg": said, "code": code}).decode()])
