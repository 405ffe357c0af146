"""OKX swap as a client meets it: an acknowledgement for each argument, text ping, a socket without data is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

PATHS = {"/ws/v5/public": "public", "/ws/v5/business": "business"}
MAX_ARGS_BYTES = 64 * 1024
OPERATIONS_PER_HOUR = 480
# Requests allowed in two seconds, by address.
LIMITS = {
    "/api/v5/public/instruments": 20,
    "/api/v5/market/books-full": 10,
    "/api/v5/market/books": 40,
    "/api/v5/public/position-tiers": 10,
    "/api/v5/public/open-interest": 20,
    "/api/v5/public/funding-rate": 20,
}


def key_of(arg: Mapping[str, Any]) -> str:
    """`channel:instId`, `channel:instType`, or `channel` alone."""
    which = arg.get("instId") or arg.get("instFamily") or arg.get("instType") or ""
    return f"{arg.get('channel', '')}:{which}" if which else str(arg.get("channel", ""))


class OkxFront(Front):
    venue = "okx_swap"
    idle_close_seconds: ClassVar[float | None] = 30.0
    snapshot_paths: ClassVar[tuple[str, ...]] = ("/api/v5/market/books", "/api/v5/market/books-full")

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._limits = {path: WeightWindow(allowed, 2) for path, allowed in LIMITS.items()}

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        route = PATHS.get(path.rstrip("/"))
        return None if route is None else Session(number, route, "raw", now, last_active=now)

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        if text == "ping":
            return Answer(texts=["pong"])
        if text == "pong":
            return Answer()
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if (
            not isinstance(message, dict)
            or message.get("op") not in ("subscribe", "unsubscribe")
            or not isinstance(message.get("args"), list)
            or not message["args"]
            or not all(isinstance(arg, dict) for arg in message["args"])
            or len(orjson.dumps(message["args"])) > MAX_ARGS_BYTES
        ):
            return Answer(texts=[self._error(session, "60012", f"Illegal request: {text[:200]}", None)])
        session.messages.append(now)
        while session.messages[0] <= now - 3600 * SECOND:
            session.messages.popleft()
        number = message.get("id")
        if len(session.messages) > OPERATIONS_PER_HOUR:
            return Answer(texts=[self._error(session, "60014", "Requests too frequent", number)])
        answer = Answer()
        for arg in message["args"]:
            self._one(session, str(message["op"]), arg, number, answer)
        return answer

    def _one(self, session: Session, op: str, arg: dict[str, Any], number: object, answer: Answer) -> None:
        key = key_of(arg)
        treatment = self.treat(key) if op == "subscribe" else None
        if session.route != "public" or not self.knows(key) or (treatment is not None and treatment.refuse):
            named = ",".join(f"{name}:{value}" for name, value in arg.items())
            text = (
                f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and parameters "
                "referring to API document."
            )
            answer.texts.append(self._error(session, "60018", text, number))
            return
        if op == "subscribe":
            if key not in session.topics:
                answer.subscribed.append(key)
            session.topics[key] = None
        elif session.topics.pop(key, 0) is None:
            answer.unsubscribed.append(key)
        if treatment is not None and treatment.no_ack:
            return
        said: dict[str, object] = {"event": op, "arg": arg, "connId": self._connection(session)}
        if number is not None:
            said["id"] = number
        answer.texts.append(orjson.dumps(said).decode())

    def _error(self, session: Session, code: str, text: str, number: object) -> str:
        said: dict[str, object] = {"event": "error", "code": code, "msg": text, "connId": self._connection(session)}
        if number is not None:
            said["id"] = number
        return orjson.dumps(said).decode()

    def shutdown_notice(self, session: Session) -> str | None:
        """About a minute before it cuts a connection for an upgrade."""
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        said = {"event": "notice", "code": "64008", "msg": text, "connId": self._connection(session)}
        return orjson.dumps(said).decode()

    @staticmethod
    def _connection(session: Session) -> str:
        return f"a4d3{session.number:04x}"

    def describe(self, key: str) -> tuple[Channel, str]:
        channel, _, which = key.partition(":")
        tickers = dict.fromkeys(("mark-price", "index-tickers", "funding-rate", "open-interest"), Channel.TICKER)
        kinds = {"books": Channel.BOOK, "trades": Channel.TRADES, "liquidation-orders": Channel.LIQUIDATIONS}
        kinds |= {"status": Channel.STATUS, "instruments": Channel.STATUS, **tickers}
        if channel == "index-tickers":
            which += "-SWAP"
        return kinds.get(channel, Channel.OTHER), which if "-" in which else ""

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return query.get("instId", "")

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        window = self._limits.get(path)
        return None if window is None or window.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        code, text = ("50011", "Too Many Requests") if status == 429 else ("50026", "System error. Try again later.")
        return RestReply(status, rest_body(code, text, []), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, rest_body("404", f"Not Found: {path}", []))


def rest_body(code: str, text: str, data: object) -> bytes:
    return orjson.dumps({"code": code, "msg": text, "data": data})
