"""Bitget's public v3 socket as a client meets it: an ack for each argument, text ping, a budget of operations an hour, silence for what
is of another family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

PATH = "/v3/ws/public"
FAMILIES = ("spot", "usdt-futures", "usdc-futures", "coin-futures")
MAX_ARGS_BYTES = 4096
FATAL_BOOKS = 25  # so many `books` in one frame were seen to close the connection without a word
OPERATIONS_PER_HOUR = 240
MESSAGES_PER_SECOND = 10  # pings among them
PING_SECONDS = 120  # without a ping for so long the venue closes, data or not
REST_PER_SECOND = 20
NO_GOODBYE = 1006  # cut without a close frame
KINDS = {
    "books": Channel.BOOK,
    "publicTrade": Channel.TRADES,
    "ticker": Channel.TICKER,
    "liquidation": Channel.LIQUIDATIONS,
}


def key_of(arg: Mapping[str, Any]) -> str:
    """`topic:symbol`, or `topic` alone; of another family with its name before it."""
    family = "" if arg.get("instType") == "usdt-futures" else f"{arg.get('instType')}/"
    symbol = arg.get("symbol")
    return f"{family}{arg.get('topic')}:{symbol}" if symbol else f"{family}{arg.get('topic')}"


class BitgetFront(Front):
    venue = "bitget_usdt"

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_PER_SECOND, 1)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        if path.rstrip("/") != PATH:
            return None
        session = Session(number, "public", "raw", now, last_active=now)
        session.memory = {"operations": WeightWindow(OPERATIONS_PER_HOUR, 3600), "pinged": now}
        return session

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.messages.append(now)
        while session.messages[0] <= now - SECOND:
            session.messages.popleft()
        if len(session.messages) > MESSAGES_PER_SECOND:
            return Answer(close=(1008, "too many messages"))
        if text == "ping":
            session.memory["pinged"] = now
            return Answer(texts=["pong"])
        try:
            message = orjson.loads(text)
            op, args = message["op"], message["args"]
            good = op in ("subscribe", "unsubscribe") and all(isinstance(arg, dict) for arg in args) and args
        except (orjson.JSONDecodeError, KeyError, TypeError):
            good = False
        if not good or len(orjson.dumps(args)) > MAX_ARGS_BYTES:
            return Answer(texts=[self._error(session, 30016, "Param error")])
        if not session.memory["operations"].spend(1, now):
            return Answer(texts=[self._error(session, 30006, "request too many")])
        if sum(arg.get("topic") == "books" for arg in args) >= FATAL_BOOKS:
            return Answer(close=(NO_GOODBYE, ""))
        answer = Answer()
        for arg in args:
            self._one(session, op, arg, answer)
        return answer

    def _one(self, session: Session, op: str, arg: dict[str, Any], answer: Answer) -> None:
        key, foreign = key_of(arg), arg.get("instType") != "usdt-futures"
        treatment = self.treat(key) if op == "subscribe" else None
        known = arg.get("topic") in KINDS and (arg.get("instType") in FAMILIES if foreign else self.knows(key))
        if not known or (treatment is not None and treatment.refuse):
            named = orjson.dumps(dict(sorted(arg.items()))).decode()
            answer.texts.append(self._error(session, 30001, f"{named} doesn't exist"))
            return
        if op == "subscribe":
            if key not in session.topics and not foreign:
                answer.subscribed.append(key)
            session.topics[key] = None
        elif session.topics.pop(key, 0) is None:
            answer.unsubscribed.append(key)
        if treatment is not None and treatment.no_ack:
            return
        answer.texts.append(orjson.dumps({"event": op, "arg": arg, "connId": f"{session.number:08x}"}).decode())

    def tick(self, session: Session, now: int) -> Answer | None:
        """A client that does not ping is cut, even while data flows."""
        return Answer(close=(NO_GOODBYE, "")) if now - session.memory["pinged"] > PING_SECONDS * SECOND else None

    def _error(self, session: Session, code: int, text: str) -> str:
        return orjson.dumps({"event": "error", "code": code, "msg": text, "connId": f"{session.number:08x}"}).decode()

    def describe(self, key: str) -> tuple[Channel, str]:
        topic, _, symbol = key.partition(":")
        return KINDS.get(topic, Channel.OTHER), symbol

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        code, text = ("429", "Too Many Requests") if status == 429 else ("40725", "service return an error")
        return RestReply(status, rest_body(code, text, None, 0), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, rest_body("40404", "Request URL NOT FOUND", None, 0))


def rest_body(code: str, text: str, data: object, now_ms: int) -> bytes:
    return orjson.dumps({"code": code, "msg": text, "requestTime": now_ms, "data": data})
