"""Kraken spot (WebSocket v2) as a client meets it: an answer for each pair, a status before anything is asked, a heartbeat a second.

A refusal names the pair and not the channel. `depth` has to be the subscribed one in an unsubscription. Too many client messages
are answered with an error, none is acted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

DEPTHS = (10, 25, 100, 500, 1000)
MESSAGES_PER_SECOND = 20  # the venue's own bound is not published
HEARTBEAT_NS = SECOND
ADVANCED = {"XBT": "BTC", "XDG": "DOGE"}  # REST names of v2's coins
OLD = {new: old for old, new in ADVANCED.items()}
REQUESTS, WINDOW_SECONDS = 60, 60
TIME = "2026-11-22T09:04:31.742599Z"  # of answers; nothing is made of it


def book_key(symbol: str, depth: int) -> str:
    """The usual depth has the short key."""
    return f"book:{symbol}" if depth == DEPTHS[-1] else f"book-{depth}:{symbol}"


class KrakenSpotFront(Front):
    venue = "kraken_spot"
    idle_close_seconds = 60.0
    snapshot_paths = ("/0/public/Depth",)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REQUESTS, WINDOW_SECONDS)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        return Session(number, "v2", "raw", now, last_active=now) if path.rstrip("/") == "/v2" else None

    def welcome(self, session: Session) -> list[str]:
        row = {"version": "2.0.10", "system": "online", "api_version": "v2", "connection_id": 16061443795302331900}
        row["connection_id"] = 16061443795302331900 + session.number
        said = {"channel": "status", "type": "update", "data": [{**row, "upcoming_maintenance": [], "emergency": []}]}
        return [_text(said)]

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        while session.messages and session.messages[0] <= now - SECOND:
            session.messages.popleft()
        session.messages.append(now)
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Answer([_text({"error": "Malformed request", "success": False})])
        method = message.get("method") if isinstance(message, dict) else None
        if method == "ping":
            return Answer([_text({"method": "pong", **_number(message), "time_in": TIME, "time_out": TIME})])
        if method not in ("subscribe", "unsubscribe") or not isinstance(message.get("params"), dict):
            return Answer([_text({"error": "Unsupported method", "success": False})])
        if len(session.messages) > MESSAGES_PER_SECOND:
            return Answer([_refusal(message, "Exceeded msg rate")])
        return self._asked(session, message)

    def _asked(self, session: Session, message: dict[str, Any]) -> Answer:
        params = message["params"]
        channel, leaving = params.get("channel"), message["method"] == "unsubscribe"
        if channel not in ("book", "trade", "instrument"):
            return Answer([_refusal(message, "Channel not supported")])
        depth = params.get("depth", 10)
        if channel == "book" and depth not in DEPTHS:
            return Answer([_refusal(message, "Book depth not supported")])
        symbols = params.get("symbol", [""] if channel == "instrument" else [])
        if not isinstance(symbols, list) or not symbols:
            return Answer([_refusal(message, "Symbol(s) missing")])
        answer = Answer()
        for symbol in map(str, symbols):
            key = {"book": book_key(symbol, depth), "trade": f"trade:{symbol}"}.get(channel, "instrument")
            problem, silent = self._problem(session, key, leaving=leaving)
            if problem:
                answer.texts.append(_refusal(message, problem.format(symbol), symbol))
                continue
            result = {"channel": channel} | ({"symbol": symbol} if symbol else {})
            result |= {"depth": depth} if channel == "book" else {}
            result |= {} if leaving else {"snapshot": True}
            said = {"method": message["method"], "result": result, "success": True, **_number(message)}
            if not silent:
                answer.texts.append(_text({**said, "time_in": TIME, "time_out": TIME}))
            if leaving:
                del session.topics[key]
                answer.unsubscribed.append(key)
            else:
                session.topics[key] = None
                answer.subscribed.append(key)
        return answer

    def _problem(self, session: Session, key: str, *, leaving: bool) -> tuple[str, bool]:
        """What is wrong with it, and whether the answer is to be kept back."""
        if leaving:
            return "" if key in session.topics else "Subscription Not Found", False
        treatment = self.treat(key)
        if treatment.refuse or not self.knows(key):
            return "Currency pair not supported {}", False
        return "Already subscribed" if key in session.topics else "", treatment.no_ack

    def tick(self, session: Session, now: int) -> Answer | None:
        """After a subscription a heartbeat whenever nothing else was sent for a second."""
        if not session.topics or now - max(session.last_active, session.memory.get("beat", 0)) < HEARTBEAT_NS:
            return None
        session.memory["beat"] = session.last_active = now
        return Answer(['{"channel":"heartbeat"}'])

    def describe(self, key: str) -> tuple[Channel, str]:
        channel, _, symbol = key.partition(":")
        kinds = {"book": Channel.BOOK, "trade": Channel.TRADES, "instrument": Channel.STATUS}
        return kinds.get(channel.partition("-")[0], Channel.OTHER), symbol

    # -- REST
    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        """Of the old names: XBTUSD. Quotes have three letters here, but for USDT and USDC."""
        pair = query.get("pair", "")
        cut = -4 if pair[-4:] in ("USDT", "USDC") else -3
        base = pair[:cut]
        return f"{ADVANCED.get(base, base)}/{pair[cut:]}" if base else ""

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        said = "EAPI:Rate limit exceeded" if status == 429 else "EService:Unavailable"
        return RestReply(status, _text({"error": [said]}).encode(), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b'{"error":["EGeneral:Unknown method"]}')


def _text(message: object) -> str:
    return orjson.dumps(message).decode()


def _number(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"req_id": message["req_id"]} if "req_id" in message else {}


def _refusal(message: Mapping[str, Any], reason: str, symbol: str = "") -> str:
    named = {"symbol": symbol} if symbol else {}
    said = {"error": reason, "method": message.get("method"), **_number(message), "success": False, **named}
    return _text({**said, "time_in": TIME, "time_out": TIME})
