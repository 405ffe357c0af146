"""Binance USD-M as a client meets it: routes, SUBSCRIBE, acknowledgement without promise, request weight."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

ROUTES = ("public", "market", "private")
PUBLIC_CHANNELS = ("depth", "rpiDepth", "bookTicker", "trade")  # everything else lives on /market
MESSAGES_PER_SECOND = 10
MAX_STREAMS = 1024
WEIGHT_PER_MINUTE = 2400
REFUSALS_BEFORE_BAN = 20  # 429s in a row that a client may ignore before the address is banned
BAN_SECONDS = 120
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}


def channel_of(stream: str) -> str:
    """`depth` of btcusdt@depth@100ms, `depth` of depth20, `forceOrder` of !forceOrder@arr."""
    name = (
        stream[1:].split("@", maxsplit=1)[0]
        if stream.startswith("!")
        else stream.split("@")[1]
        if "@" in stream
        else ""
    )
    return "depth" if name.startswith("depth") else name


class BinanceFront(Front):
    venue = "binance_usdm"
    server_ping_seconds: ClassVar[float | None] = 180.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._weight = WeightWindow(WEIGHT_PER_MINUTE, 60)
        self._refused = 0
        self._banned_until = 0

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        parts = [part for part in path.split("/") if part]
        # An address without a route still answers, and serves the public route's streams only.
        route = parts.pop(0) if parts and parts[0] in ROUTES else "public"
        if not parts or parts[0] not in ("ws", "stream"):
            return None
        mode = "combined" if parts[0] == "stream" else "raw"
        session = Session(number, route, mode, now, last_active=now)
        names = parts[1:] if mode == "raw" else query.get("streams", "").split("/")
        for name in names:
            if name:
                session.topics[name] = None
        return session

    def served(self, session: Session, stream: str) -> bool:
        """Whether this route carries the stream: if not, it was acknowledged and stays silent."""
        public = channel_of(stream) in PUBLIC_CHANNELS
        return self.knows(stream) and session.route == ("public" if public else "market")

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.messages.append(now)
        while session.messages[0] <= now - SECOND:
            session.messages.popleft()
        if len(session.messages) > MESSAGES_PER_SECOND:
            return Answer(close=(1008, "Too many requests"))
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Answer(texts=[_error(3, f"Invalid JSON: {error}", None)])
        if not isinstance(message, dict) or "method" not in message:
            return Answer(texts=[_error(2, "Invalid request: missing field `method`", None)])
        return self._command(session, message)

    def _command(self, session: Session, message: dict[str, Any]) -> Answer:
        number, method, params = message.get("id"), message["method"], message.get("params", [])
        if not isinstance(params, list) or not all(isinstance(p, str | bool) for p in params):
            return Answer(texts=[_error(2, "Invalid request: invalid type for `params`, expected a list", number)])
        names = [p for p in params if isinstance(p, str)]
        answer = Answer()
        if method == "SUBSCRIBE":
            treatments = [self.treat(name) for name in names]
            if any(t.refuse for t in treatments):
                return Answer(texts=[_error(2, "Invalid request: request must be a valid stream", number)])
            if len(session.topics) + len(names) > MAX_STREAMS:
                return Answer(close=(1008, "Too many streams"))
            answer.subscribed = [name for name in names if name not in session.topics]
            session.topics.update(dict.fromkeys(names))
            if any(t.no_ack for t in treatments):
                return answer
            result: object = None
        elif method == "UNSUBSCRIBE":
            answer.unsubscribed = [name for name in names if session.topics.pop(name, 0) is None]
            result = None
        elif method == "LIST_SUBSCRIPTIONS":
            result = list(session.topics)
        elif method == "SET_PROPERTY" and params[:1] == ["combined"] and isinstance(params[-1], bool):
            session.mode = "combined" if params[-1] else "raw"
            result = None
        elif method == "GET_PROPERTY" and params == ["combined"]:
            result = session.mode == "combined"
        else:
            return Answer(texts=[_error(2, f"Invalid request: unknown variant `{method}`", number)])
        answer.texts.append(orjson.dumps({"result": result, "id": number}).decode())
        return answer

    def describe(self, key: str) -> tuple[Channel, str]:
        symbol = "" if key.startswith("!") else key.split("@", maxsplit=1)[0].upper()
        kinds = {"depth": Channel.BOOK, "aggTrade": Channel.TRADES, "trade": Channel.TRADES}
        kinds |= {"forceOrder": Channel.LIQUIDATIONS, "markPrice": Channel.TICKER}
        return kinds.get(channel_of(key), Channel.OTHER), symbol

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        return b'{"stream":"' + key.encode() + b'","data":' + data + b"}" if session.mode == "combined" else data

    def envelope_kind(self, session: Session) -> str:
        return session.mode

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        if now < self._banned_until:
            return self.rest_error(418, -(-(self._banned_until - now) // SECOND))
        if self._weight.spend(_weight(path, query), now):
            self._refused = 0
            return None
        self._refused += 1
        if self._refused > REFUSALS_BEFORE_BAN:
            self._banned_until = now + BAN_SECONDS * SECOND
            return self.rest_error(418, BAN_SECONDS)
        return self.rest_error(429, 10)

    def dress(self, reply: RestReply) -> RestReply:
        headers = {"X-MBX-USED-WEIGHT-1M": str(self._weight.used), **reply.headers}
        return RestReply(reply.status, reply.body, headers, reply.content_type)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        said = {
            429: (-1003, "Too many requests; current limit of IP is 2400 requests per minute."),
            418: (-1003, "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans."),
            403: (-1, "Forbidden"),
            451: (0, "Service unavailable from a restricted location."),
        }
        code, text = said.get(status, (-1001, "Internal error; unable to process your request. Please try again."))
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return RestReply(status, orjson.dumps({"code": code, "msg": text}), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b"<html><body><h2>404 Not found</h2></body></html>", content_type="text/html")


def _error(code: int, text: str, number: object) -> str:
    said: dict[str, object] = {"code": code, "msg": text}
    if number is not None:
        said["id"] = number
    return orjson.dumps(said).decode()


def _weight(path: str, query: Mapping[str, str]) -> int:
    if path == "/fapi/v1/depth":
        limit = int(query["limit"]) if query.get("limit", "500").isdigit() and "limit" in query else 500
        steps = sorted(DEPTH_WEIGHTS)
        upper = next((step for before, step in pairwise([0, *steps]) if before < limit <= step), 1000)
        return DEPTH_WEIGHTS[upper]
    if path == "/fapi/v1/premiumIndex" and "symbol" not in query:
        return 10
    return 0 if path == "/fapi/v1/fundingInfo" else 1
