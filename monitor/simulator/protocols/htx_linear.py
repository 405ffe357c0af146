"""HTX linear swaps as a client meets them: three sockets, gzip both for data and words, a ping every five seconds, one topic a frame.

Not on the venue's page, so this simulator's own: the words that answer too many subscriptions, and `#whole` in a topic's key for who
left `data_type` out. Of the books only the one of 150 levels is simulated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Encoding, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

ROUTES = {"/linear-swap-ws": "market", "/linear-swap-notification": "notices", "/ws_index": "prices"}
BOOK = "depth.size_150.high_freq"
WHOLE = "#whole"
FAMILIES = {
    "market": re.compile(r"market\.[^.]+\.(depth\.size_150\.high_freq|trade\.detail)"),
    "prices": re.compile(r"market\.[^.]+\.(mark_price|index)\.1min"),
    "notices": re.compile(r"public\.[^.]+\.(liquidation_orders|contract_info|funding_rate)"),
}
CHANNELS = {
    BOOK: Channel.BOOK,
    "trade.detail": Channel.TRADES,
    "mark_price.1min": Channel.TICKER,
    "index.1min": Channel.TICKER,
    "funding_rate": Channel.TICKER,
    "liquidation_orders": Channel.LIQUIDATIONS,
    "contract_info": Channel.STATUS,
}
PING_NS = 5 * SECOND
PINGS_UNANSWERED = 4
SUBSCRIPTIONS_PER_SECOND = 60  # 40 are documented, a burst of 60 worked
REST_REQUESTS, REST_SECONDS = 240, 3
REPEATED = 2014


class HtxFront(Front):
    venue = "htx_linear"

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_REQUESTS, REST_SECONDS)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        route = ROUTES.get(path.rstrip("/"))
        if route is None:
            return None
        session = Session(number, route, "raw", now, last_active=now)
        session.memory = {"pinged": now, "unanswered": 0}
        return session

    def encoding(self, session: Session) -> Encoding:
        return "gzip"

    def tick(self, session: Session, now: int) -> Answer | None:
        """The venue asks, and hangs up on who does not answer; it is never asked."""
        memory = session.memory
        if now - memory["pinged"] < PING_NS:
            return None
        if memory["unanswered"] >= PINGS_UNANSWERED:
            return Answer(close=(1003, "ping check expired"))
        memory["pinged"] = now
        memory["unanswered"] += 1
        at = now // 1_000_000
        return Answer([_text(op="ping", ts=str(at)) if session.route == "notices" else _text(ping=at)])

    def shutdown_notice(self, session: Session) -> str | None:
        return _text(op="close") if session.route == "notices" else None

    def receive(self, session: Session, text: str, now: int) -> Answer:
        at = now // 1_000_000
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            return Answer([_text(status="error", ts=at, **_bad("not json, is not json string"))])
        if "pong" in message or message.get("op") == "pong":
            session.memory["unanswered"] = 0
            return Answer()
        session.messages.append(now)
        while session.messages[0] <= now - SECOND:
            session.messages.popleft()
        crowded = len(session.messages) > SUBSCRIPTIONS_PER_SECOND
        if session.route == "notices":
            return self._notice(session, message, at, crowded)
        op = next((op for op in ("sub", "unsub") if isinstance(message.get(op), str)), None)
        if op is None:
            return Answer()  # a ping of the client's, for one
        number = {"id": message["id"]} if "id" in message else {}
        key = _upper(message[op])
        whole = WHOLE if key.endswith(BOOK) and message.get("data_type") != "incremental" and op == "sub" else ""
        treatment = self.treat(key) if op == "sub" else None
        refused = not FAMILIES[session.route].fullmatch(key) or not self.knows(key + whole)
        if crowded or refused or (treatment is not None and treatment.refuse):
            said = "too many requests" if crowded else f"invalid topic {message[op]}"
            return Answer([_text(status="error", ts=at, **number, **_bad(said))])
        ack = _text(**number, status="ok", **{f"{op}bed": key}, ts=at)
        if treatment is not None:
            session.topics[key + whole] = None
            return Answer([] if treatment.no_ack else [ack], subscribed=[key + whole])
        gone = [each for each in (key, key + WHOLE) if session.topics.pop(each, 0) is None]
        return Answer([ack], unsubscribed=gone)

    def _notice(self, session: Session, message: dict[str, Any], at: int, crowded: bool) -> Answer:
        op, topic = message.get("op"), message.get("topic")
        if op not in ("sub", "unsub") or not isinstance(topic, str):
            return Answer([_text(op="error", ts=str(at))])
        number = {"cid": message["cid"]} if "cid" in message else {}

        def said(code: int, text: str = "") -> str:
            error = {"err-msg": text} if code else {}
            return _text(op=op, **number, topic=topic, ts=at, **{"err-code": code}, **error)

        if op == "unsub":
            return Answer([said(0)], unsubscribed=[topic] if session.topics.pop(topic, 0) is None else [])
        treatment = self.treat(topic)
        if crowded or treatment.refuse or not FAMILIES["notices"].fullmatch(topic) or not self.knows(topic):
            return Answer([said(2011, "too many requests" if crowded else "topic is invalid")])
        if topic in session.topics or f"public.*.{topic.rpartition('.')[2]}" in session.topics:
            return Answer([said(REPEATED, "Repeated subscription")])
        session.topics[topic] = None
        return Answer([] if treatment.no_ack else [said(0)], subscribed=[topic])

    def describe(self, key: str) -> tuple[Channel, str]:
        _, symbol, kind = (*key.removesuffix(WHOLE).split(".", 2), "", "")[:3]
        return CHANNELS.get(kind, Channel.OTHER), "" if symbol == "*" else symbol

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        if self._requests.spend(1, now):
            return None
        return RestReply(200, _error(1032, "The number of times the interface is accessed has exceeded the limit"))

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return query.get("contract_code", "")

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return RestReply(status, _error(1032 if status == 429 else 1000, "System error"), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, _error(404, "Not found"))


def _text(**members: object) -> str:
    return orjson.dumps(members).decode()


def _bad(said: str) -> dict[str, str]:
    return {"err-code": "bad-request", "err-msg": said}


def _error(code: int, text: str) -> bytes:
    return orjson.dumps({"status": "error", "err_code": code, "err_msg": text, "ts": 0})


def _upper(topic: str) -> str:
    """A contract may be asked for in lower case; answers and frames say it in upper case."""
    parts = topic.split(".")
    return ".".join([parts[0], parts[1].upper(), *parts[2:]]) if len(parts) > 2 else topic
