"""Binance's three markets as a client meets them: SUBSCRIBE, acknowledgement without promise, limits of pace, request weight, bans."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

MAX_STREAMS = 1024
REFUSALS_BEFORE_BAN = 20  # 429s in a row that a client may ignore before the address is banned
BAN_SECONDS = 120
KINDS = {
    "depth": Channel.BOOK,
    "aggTrade": Channel.TRADES,
    "trade": Channel.TRADES,
    "forceOrder": Channel.LIQUIDATIONS,
    "markPrice": Channel.TICKER,
    "indexPrice": Channel.TICKER,
}


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
    """api: path before `depth`, `exchangeInfo` and the like. depth_weights: the largest limit that still costs so much.

    routes: first parts of a socket's path that part the streams; without one a socket is on `usual_route`.
    """

    api: ClassVar[str]
    routes: ClassVar[tuple[str, ...]] = ()
    usual_route: ClassVar[str] = ""
    messages_per_second: ClassVar[int]
    weight_per_minute: ClassVar[int]
    depth_weights: ClassVar[Mapping[int, int]]
    listing_weight: ClassVar[int] = 1
    weightless: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._weight = WeightWindow(self.weight_per_minute, 60)
        self._refused = 0
        self._banned_until = 0

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        parts = [part for part in path.split("/") if part]
        route = parts.pop(0) if parts and parts[0] in self.routes else self.usual_route
        if not parts or parts[0] not in ("ws", "stream"):
            return None
        mode = "combined" if parts[0] == "stream" else "raw"
        session = Session(number, route, mode, now, last_active=now)
        names = parts[1:] if mode == "raw" else query.get("streams", "").split("/")
        for name in names:
            if name:
                session.topics[name] = None
        return session

    def served(self, session: Session, key: str) -> bool:
        """An unknown stream was acknowledged like any other, and stays silent."""
        return self.knows(key)

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.messages.append(now)
        while session.messages[0] <= now - SECOND:
            session.messages.popleft()
        if len(session.messages) > self.messages_per_second:
            return Answer(close=(1008, "Too many requests"))
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Answer(texts=[self.error(3, f"Invalid JSON: {error}", None)])
        if not isinstance(message, dict) or "method" not in message:
            return Answer(texts=[self.error(2, "Invalid request: missing field `method`", None)])
        return self._command(session, message)

    def _command(self, session: Session, message: dict[str, Any]) -> Answer:
        number, method, params = message.get("id"), message["method"], message.get("params", [])
        if not isinstance(params, list) or not all(isinstance(p, str | bool) for p in params):
            return Answer(texts=[self.error(2, "Invalid request: invalid type for `params`, expected a list", number)])
        names = [p for p in params if isinstance(p, str)]
        answer = Answer()
        if method == "SUBSCRIBE":
            treatments = [self.treat(name) for name in names]
            if any(t.refuse for t in treatments):
                return Answer(texts=[self.error(2, "Invalid request: request must be a valid stream", number)])
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
            return Answer(texts=[self.error(2, f"Invalid request: unknown variant `{method}`", number)])
        answer.texts.append(orjson.dumps({"result": result, "id": number}).decode())
        return answer

    def error(self, code: int, text: str, number: object) -> str:
        said: dict[str, object] = {"code": code, "msg": text}
        if number is not None:
            said["id"] = number
        return orjson.dumps(said).decode()

    def describe(self, key: str) -> tuple[Channel, str]:
        symbol = "" if key.startswith("!") else key.split("@", maxsplit=1)[0].upper()
        return KINDS.get(channel_of(key), Channel.OTHER), symbol

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        return b'{"stream":"' + key.encode() + b'","data":' + data + b"}" if session.mode == "combined" else data

    def envelope_kind(self, session: Session) -> str:
        return session.mode

    # -- REST
    def seed_request(self, symbol: str) -> tuple[str, dict[str, str]] | None:
        return f"{self.api}/depth", {"symbol": symbol, "limit": str(max(self.depth_weights))}

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        if now < self._banned_until:
            return self.rest_error(418, -(-(self._banned_until - now) // SECOND))
        if self._weight.spend(self.weight_of(path, query), now):
            self._refused = 0
            return None
        self._refused += 1
        if self._refused > REFUSALS_BEFORE_BAN:
            self._banned_until = now + BAN_SECONDS * SECOND
            return self.rest_error(418, BAN_SECONDS)
        return self.rest_error(429, 10)

    def weight_of(self, path: str, query: Mapping[str, str]) -> int:
        if path == f"{self.api}/depth":
            limit = int(query["limit"]) if query.get("limit", "").isdigit() else 500
            steps = sorted(self.depth_weights)
            upper = next((step for before, step in pairwise([0, *steps]) if before < limit <= step), steps[-1])
            return self.depth_weights[upper]
        if path == f"{self.api}/premiumIndex" and "symbol" not in query:
            return 10
        if path == f"{self.api}/exchangeInfo":
            return self.listing_weight
        if path == f"{self.api}/klines":
            return self.candles_weight(int(query["limit"]) if query.get("limit", "").isdigit() else 500)
        return 0 if path in (f"{self.api}/fundingInfo", *self.weightless) else 1

    def candles_weight(self, limit: int) -> int:
        return 1 if limit < 100 else 2 if limit < 500 else 5

    def dress(self, reply: RestReply) -> RestReply:
        headers = {"X-MBX-USED-WEIGHT-1M": str(self._weight.used), **reply.headers}
        return RestReply(reply.status, reply.body, headers, reply.content_type)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        over = f"Too many requests; current limit of IP is {self.weight_per_minute} requests per minute."
        said = {
            429: (-1003, over),
            418: (-1003, "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans."),
            403: (-1, "Forbidden"),
            451: (0, "Service unavailable from a restricted location."),
        }
        code, text = said.get(status, (-1001, "Internal error; unable to process your request. Please try again."))
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return RestReply(status, orjson.dumps({"code": code, "msg": text}), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b"<html><body><h2>404 Not found</h2></body></html>", content_type="text/html")
