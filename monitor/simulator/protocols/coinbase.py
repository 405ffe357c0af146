"""Coinbase as a client meets it: two feeds, told apart here by what the client says first (both addresses have an empty path).

Advanced: one channel a message, many products; every message of a connection has the next `sequence_num`, answers and heartbeats too;
products it does not know are confirmed, and get an empty snapshot. A connection on which nothing is said for a minute or so is closed.
Exchange: several channels a message, one product that is not valid fails all of it; `level2` wants credentials. Its messages carry
numbers per product. On both an answer lists everything the connection has, and who says nothing for five seconds is cut off.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

FIRST_WORD_NS = 5 * SECOND
ADVANCED_MESSAGES, EXCHANGE_MESSAGES = 8, 100  # a second and address
REQUESTS, WINDOW_SECONDS = 10, 1
UNNUMBERED = b'"sequence_num":0,'
LOCKED = "level2, level3, and full channels now require authentication."
KINDS = {"level2": Channel.BOOK, "matches": Channel.TRADES}


def rfc3339(ns: int) -> str:
    whole = datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{ns % SECOND // 1000:06d}Z"


def advanced(channel: str, time: str, *events: object) -> str:
    return _text({"channel": channel, "client_id": "", "timestamp": time, "sequence_num": 0, "events": list(events)})


class CoinbaseFront(Front):
    venue = "coinbase"
    numbers: ClassVar[bool] = True
    idle_close_seconds = 75.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REQUESTS, WINDOW_SECONDS)
        self._messages: dict[str, deque[int]] = {"advanced": deque(), "exchange": deque()}

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        return Session(number, "", "raw", now, last_active=now) if path in ("", "/") else None

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict) or message.get("type") not in ("subscribe", "unsubscribe"):
            return _error("Malformed JSON")
        surface = "advanced" if "channel" in message else "exchange"
        if session.memory.setdefault("surface", surface) != surface:
            return _error("unknown field")
        sent = self._messages[surface]
        while sent and sent[0] <= now - SECOND:
            sent.popleft()
        sent.append(now)
        if len(sent) > (ADVANCED_MESSAGES if surface == "advanced" else EXCHANGE_MESSAGES):
            return _error("rate limit exceeded")
        return self._advanced(session, message, now) if surface == "advanced" else self._exchange(session, message)

    def _advanced(self, session: Session, message: dict[str, Any], now: int) -> Answer:
        channel, leaving, time = message["channel"], message["type"] == "unsubscribe", rfc3339(now)
        if channel == "heartbeats":
            session.memory["beats"] = None if leaving else (now, 0)
            return Answer([self._active(session, time)])
        products = message.get("product_ids")
        if channel != "level2" or not isinstance(products, list):
            return _error(f"channel {channel} is not available")
        answer, silent = Answer(), False
        empty: list[str] = []
        for product in map(str, products):
            key = f"level2:{product}"
            if leaving:
                session.topics.pop(key, None)
                answer.unsubscribed.append(key)
                continue
            treatment = self.treat(key)
            silent |= treatment.no_ack
            if treatment.refuse:  # dropped without a word: the answer does not list it
                continue
            session.topics[key] = None
            if self.knows(key):
                answer.subscribed.append(key)
            else:
                nothing = {"type": "snapshot", "product_id": product, "updates": []}
                empty.append(advanced("l2_data", time, nothing))
        answer.texts = ([] if silent else [self._active(session, time)]) + empty
        return answer

    def _active(self, session: Session, time: str) -> str:
        active: dict[str, list[str]] = {}
        if session.memory.get("beats"):
            active["heartbeats"] = ["heartbeats"]
        for key in session.topics:
            channel, _, product = key.partition(":")
            active.setdefault(channel, []).append(product)
        return advanced("subscriptions", time, {"subscriptions": active})

    def _exchange(self, session: Session, message: dict[str, Any]) -> Answer:
        common, keys = message.get("product_ids", []), []
        for channel in message.get("channels", []):
            name = channel.get("name") if isinstance(channel, dict) else channel
            if name in ("level2", "level3", "full"):
                return _error("Failed to subscribe", LOCKED)
            if name not in ("matches", "heartbeat"):
                return _error("Failed to subscribe", f"{name} is not a valid channel")
            products = channel.get("product_ids", common) if isinstance(channel, dict) else common
            keys += [f"{name}:{product}" for product in products]
        if message["type"] == "unsubscribe":
            for key in keys:
                session.topics.pop(key, None)
            return Answer([_channels(session)], unsubscribed=keys)
        treatments = {key: self.treat(key) for key in keys}
        for key, treatment in treatments.items():
            if treatment.refuse or not self.knows(key):
                return _error("Failed to subscribe", f"{key.partition(':')[2]} is not a valid product")
        session.topics.update(dict.fromkeys(keys))
        silent = any(treatment.no_ack for treatment in treatments.values())
        return Answer([] if silent else [_channels(session)], subscribed=keys)

    def tick(self, session: Session, now: int) -> Answer | None:
        """A heartbeat a second for who asked for it, and the end of who never asked for anything."""
        if "surface" not in session.memory:
            late = now - session.opened_at > FIRST_WORD_NS
            return Answer(close=(1008, "no subscription")) if late else None
        last, count = session.memory.get("beats") or (now, 0)
        if now - last < SECOND:
            return None
        session.memory["beats"], session.last_active = (now, count + 1), now
        written = rfc3339(now).replace("T", " ").replace("Z", " +0000 UTC m=+0")
        return Answer([advanced("heartbeats", rfc3339(now), {"current_time": written, "heartbeat_counter": count})])

    def number(self, session: Session, data: bytes) -> bytes:
        if UNNUMBERED not in data[:256]:
            return data
        numbered = data.replace(UNNUMBERED, b'"sequence_num":%d,' % session.numbered, 1)
        session.numbered += 1
        return numbered

    def describe(self, key: str) -> tuple[Channel, str]:
        channel, _, product = key.partition(":")
        return KINDS.get(channel, Channel.OTHER), product

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        said = "Public rate limit exceeded" if status == 429 else "Internal server error"
        return RestReply(status, _text({"message": said}).encode(), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b'{"error":"NOT_FOUND","error_details":"no such path","message":"no such path"}')


def _text(message: object) -> str:
    return orjson.dumps(message).decode()


def _error(message: str, reason: str = "") -> Answer:
    return Answer([_text({"type": "error", "message": message} | ({"reason": reason} if reason else {}))])


def _channels(session: Session) -> str:
    active: dict[str, list[str]] = {}
    for key in session.topics:
        channel, _, product = key.partition(":")
        active.setdefault(channel, []).append(product)
    rows = [{"name": name, "product_ids": products} for name, products in active.items()]
    return _text({"type": "subscriptions", "channels": rows})
