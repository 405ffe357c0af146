"""Kraken Futures (WebSocket v1) as a client meets it: one feed a request, answers without a number, refusals without a feed.

Not on the venue's page, so this simulator's own: the words that answer too many requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

REQUESTS_PER_SECOND = 100  # of one connection
HEARTBEAT_NS = SECOND
BY_PRODUCT = {"book": Channel.BOOK, "trade": Channel.TRADES, "ticker": Channel.TICKER}
REST_REQUESTS, REST_SECONDS = 500, 10


class KrakenFuturesFront(Front):
    venue = "kraken_futures"
    idle_close_seconds = 60.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_REQUESTS, REST_SECONDS)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        return Session(number, "v1", "raw", now, last_active=now) if path.rstrip("/") == "/ws/v1" else None

    def welcome(self, session: Session) -> list[str]:
        return ['{"event":"info","version":1}']

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        while session.messages and session.messages[0] <= now - SECOND:
            session.messages.popleft()
        session.messages.append(now)
        if len(session.messages) > REQUESTS_PER_SECOND:
            return Answer([_event("error", message="Too many requests")])
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Answer([_event("alert", message="Bad request")])
        event = message.get("event") if isinstance(message, dict) else None
        if event not in ("subscribe", "unsubscribe"):
            return Answer([_event("alert", message="Bad request")])
        feed = message.get("feed")
        if feed == "heartbeat":
            session.memory["beats"] = event == "subscribe"
            return Answer([_event(f"{event}d", feed="heartbeat")])
        products = message.get("product_ids")
        if feed not in BY_PRODUCT:
            return Answer([_event("error", message="Invalid feed")])
        if not isinstance(products, list) or not products:
            return Answer([_event("error", message="Invalid product id")])
        names = [str(product) for product in products]
        return (self._join if event == "subscribe" else self._leave)(session, feed, names)

    def _join(self, session: Session, feed: str, products: list[str]) -> Answer:
        """Every product by itself: a wrong one is named, the others are served."""
        answer, acked = Answer(), []
        for product in products:
            key = f"{feed}:{product}"
            treatment = self.treat(key)
            if treatment.refuse or not self.knows(key):
                said = f"Couldn't subscribe to invalid product `{product}`"
                answer.texts.append(_event("alert", message=said))
                continue
            session.topics[key] = None
            answer.subscribed.append(key)
            if not treatment.no_ack:
                acked.append(product)
        if acked:
            answer.texts.append(_event("subscribed", feed=feed, product_ids=acked))
        return answer

    def _leave(self, session: Session, feed: str, products: list[str]) -> Answer:
        keys = [f"{feed}:{product}" for product in products]
        gone = [key for key in keys if session.topics.pop(key, 0) is None]
        if not gone:
            return Answer([_event("unsubscribed_failed", feed=feed, product_ids=products)])
        left = [key.partition(":")[2] for key in gone]
        return Answer([_event("unsubscribed", feed=feed, product_ids=left)], unsubscribed=gone)

    def tick(self, session: Session, now: int) -> Answer | None:
        if not session.memory.get("beats") or now - session.memory.get("beat", 0) < HEARTBEAT_NS:
            return None
        session.memory["beat"] = now
        return Answer([_text({"feed": "heartbeat", "time": now // 1_000_000})])

    def describe(self, key: str) -> tuple[Channel, str]:
        feed, _, product = key.partition(":")
        return BY_PRODUCT.get(feed, Channel.OTHER), product

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        said = "apiLimitExceeded" if status == 429 else "unavailable"
        return RestReply(status, _text({"result": "error", "error": said}).encode(), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b'{"result":"error","error":"notFound"}')


def _text(message: object) -> str:
    return orjson.dumps(message).decode()


def _event(event: str, **members: object) -> str:
    return _text({"event": event, **members})
