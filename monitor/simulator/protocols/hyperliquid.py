"""Hyperliquid as a client meets it: one subscription a frame, and a name it does not know ends the socket without a word.

Not on the venue's page, so this simulator's own: the words for too many messages and connections. Watched accounts are counted by socket
and not by address.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

ACCOUNTS = 10
MESSAGES_A_MINUTE, CONNECTS_A_MINUTE, WEIGHT_A_MINUTE = 2_000, 30, 1_200
LIGHT = ("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus")
WEIGHTS = {**dict.fromkeys(LIGHT, 2), "candleSnapshot": 23}  # one more for each 60 candles: taken for a week of hours
CHANNELS = {"trades": Channel.TRADES, "activeAssetCtx": Channel.TICKER, "userFills": Channel.LIQUIDATIONS}
WITHOUT_A_WORD = (1006, "")
NOT_A_REQUEST = "Error parsing JSON into valid websocket request: "


class HyperliquidFront(Front):
    venue = "hyperliquid"
    idle_close_seconds = 60.0  # since the venue last sent anything

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._weight = WeightWindow(WEIGHT_A_MINUTE, 60)
        self._connects = WeightWindow(CONNECTS_A_MINUTE, 60)
        self._messages = WeightWindow(MESSAGES_A_MINUTE, 60)

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | RestReply | None:
        if path != "/ws":
            return None
        if not self._connects.spend(1, now):
            return self.rest_error(429, None)
        return Session(number, "ws", "raw", now, last_active=now)

    def receive(self, session: Session, text: str, now: int) -> Answer:
        if not self._messages.spend(1, now):
            return Answer([_error("Too many messages")])
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        method = message.get("method") if isinstance(message, dict) else None
        if method == "ping":
            session.last_active = now
            return Answer(['{"channel":"pong"}'])
        asked = message.get("subscription") if isinstance(message, dict) else None
        whole = None if method not in ("subscribe", "unsubscribe") or not isinstance(asked, dict) else _whole(asked)
        if whole is None:
            session.last_active = now
            return Answer([_error(NOT_A_REQUEST + text)])
        answer = (self._join if method == "subscribe" else self._leave)(session, whole)
        if answer.texts:
            session.last_active = now
        return answer

    def _join(self, session: Session, asked: dict[str, Any]) -> Answer:
        key = topic_key(asked)
        if key is None:
            return Answer(close=WITHOUT_A_WORD)
        if key in session.topics:
            return Answer([_error("Already subscribed: " + _text(asked))])
        treatment = self.treat(key)
        if asked["type"] == "userFills":
            watched = sum(topic.startswith("userFills:") for topic in session.topics)
            if treatment.refuse or watched >= ACCOUNTS:
                return Answer([_error(f"Cannot track more than {ACCOUNTS} total users.")])
        elif treatment.refuse or not self.knows(key):
            return Answer(close=WITHOUT_A_WORD)
        session.topics[key] = None
        return Answer([] if treatment.no_ack else [_response("subscribe", asked)], subscribed=[key])

    def _leave(self, session: Session, asked: dict[str, Any]) -> Answer:
        key = topic_key(asked)
        if key is None:
            return Answer(close=WITHOUT_A_WORD)
        if key not in session.topics:
            return Answer([_error("Already unsubscribed: " + _text(asked))])
        del session.topics[key]
        return Answer([_response("unsubscribe", asked)], unsubscribed=[key])

    def describe(self, key: str) -> tuple[Channel, str]:
        stream, _, what = key.partition(":")
        if stream.startswith("l2Book"):
            return Channel.BOOK, what
        return CHANNELS.get(stream, Channel.OTHER), "" if stream == "userFills" else what

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        weight = WEIGHTS.get(query.get("type", ""), 20)
        return None if self._weight.spend(weight, now) else self.rest_error(429, None)

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return query.get("coin", "")

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return RestReply(status, b"null", headers)

    def not_found(self, path: str) -> RestReply:
        said = b"Failed to deserialize the JSON body into the target type"
        return RestReply(422, said, content_type="text/plain")


def _whole(asked: dict[str, Any]) -> dict[str, Any] | None:
    """The subscription with what was not said, as the venue repeats it; None: nothing it can parse."""
    kind = asked.get("type")
    if kind == "userFills":
        return {"aggregateByTime": None, **asked} if isinstance(asked.get("user"), str) else None
    if kind not in ("l2Book", "trades", "activeAssetCtx") or not isinstance(asked.get("coin"), str):
        return None
    return {"nSigFigs": None, "mantissa": None, "fast": False, **asked} if kind == "l2Book" else asked


def topic_key(asked: dict[str, Any]) -> str | None:
    """The stream a subscription means; None: one that does not exist, which is as bad as a wrong name."""
    if asked["type"] == "userFills":
        return f"userFills:{asked['user'].lower()}"
    if asked["type"] != "l2Book":
        return f"{asked['type']}:{asked['coin']}"
    figures, mantissa = asked["nSigFigs"], asked["mantissa"]
    if figures not in (None, 2, 3, 4, 5) or mantissa not in (None, 1) or (mantissa is not None and figures != 5):
        return None
    variant = "fast" if asked["fast"] else "default" if figures is None else str(figures)
    return f"l2Book.{variant}:{asked['coin']}"


def _text(message: object) -> str:
    return orjson.dumps(message).decode()


def _error(said: str) -> str:
    return _text({"channel": "error", "data": said})


def _response(method: str, asked: dict[str, Any]) -> str:
    return _text({"channel": "subscriptionResponse", "data": {"method": method, "subscription": asked}})
