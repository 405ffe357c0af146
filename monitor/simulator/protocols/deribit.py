"""Deribit (JSON-RPC over WebSocket) as a client meets it: bad channels fall out of the answer, heartbeats must be answered, calls cost credits.

Not on the venue's page, so this simulator's own: the close code after too many calls, and that of a socket that never said anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

SUBSCRIPTION_COST, SUBSCRIPTION_POOL = 3_000, 30_000
CALL_COST, CALL_POOL = 500, 50_000
REFILL_PER_SECOND = 10_000
LISTING_COST, LISTING_POOL = 10_000, 500_000
LEAST_INTERVAL = 10  # seconds between heartbeats
ANSWER_WITHIN = 10 * SECOND  # a test_request
DUMB_FOR = 60 * SECOND + SECOND // 2  # a socket that subscribes to nothing and says nothing
BASE = "/api/v2/public"
CHANNELS = {"book": Channel.BOOK, "trades": Channel.TRADES, "ticker": Channel.TICKER}
STATES = ("platform_state", "platform_state.public_methods_state", "instrument.state.future.any")
HEARTBEAT = '{"jsonrpc":"2.0","method":"heartbeat","params":{"type":"heartbeat"}}'
TEST_REQUEST = '{"params":{"type":"test_request"},"method":"heartbeat","jsonrpc":"2.0"}'


class Credits:
    """A pool that fills by itself; it begins full."""

    def __init__(self, pool: int, now: int) -> None:
        self._pool, self._left, self._at = pool, float(pool), now

    def spend(self, cost: int, now: int) -> bool:
        self._left = min(self._pool, self._left + (now - self._at) / SECOND * REFILL_PER_SECOND)
        self._at = now
        if self._left < cost:
            return False
        self._left -= cost
        return True


class DeribitFront(Front):
    venue = "deribit"

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(CALL_POOL, CALL_POOL / REFILL_PER_SECOND)
        self._listings = WeightWindow(LISTING_POOL, LISTING_POOL / REFILL_PER_SECOND)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        if path.rstrip("/") != "/ws/api/v2":
            return None
        session = Session(number, "v2", "raw", now, last_active=now)
        session.memory.update(
            calls=Credits(CALL_POOL, now), subscriptions=Credits(SUBSCRIPTION_POOL, now), heard=now, interval=0, asked=0
        )
        return session

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = session.memory["heard"] = now
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Answer([_error(None, 11050, "bad_request")])
        if not isinstance(message, dict):
            return Answer([_error(None, 11050, "bad_request")])
        number, method = message.get("id"), message.get("method")
        params = message.get("params")
        params = params if isinstance(params, dict) else {}
        subscribes = method in ("public/subscribe", "public/unsubscribe")
        pool, cost = ("subscriptions", SUBSCRIPTION_COST) if subscribes else ("calls", CALL_COST)
        if not session.memory[pool].spend(cost, now):
            return Answer([_error(number, 10028, "too_many_requests")], close=(1008, "too_many_requests"))
        if subscribes:
            channels = params.get("channels")
            if not isinstance(channels, list) or not all(isinstance(channel, str) for channel in channels):
                return Answer([_wrong(number, "channels", "wrong format")])
            return (self._join if method == "public/subscribe" else self._leave)(session, number, channels, now)
        if method == "public/set_heartbeat":
            interval = params.get("interval")
            if not isinstance(interval, int) or interval < LEAST_INTERVAL:
                return Answer([_wrong(number, "interval", f"value must be at least {LEAST_INTERVAL}")])
            session.memory.update(interval=interval, beat=now)
            return Answer([_result(number, "ok", now)])
        if method == "public/test":
            session.memory["asked"] = 0
            return Answer([_result(number, {"version": "1.2.26"}, now)])
        return Answer([_error(number, -32601, "Method not found")])

    def _join(self, session: Session, number: object, channels: list[str], now: int) -> Answer:
        """What is not known is left out without a word; what is there already is confirmed and begins with nothing."""
        if any(channel.endswith(".raw") for channel in channels):
            return Answer([_error(number, 13778, "raw_subscriptions_not_available_for_unauthorized")])
        taken, answer, unconfirmed = [], Answer(), False
        for channel in channels:
            treatment = self.treat(channel)
            if treatment.refuse or not self.knows(channel):
                continue
            unconfirmed |= treatment.no_ack
            if channel not in session.topics:
                session.topics[channel] = None
                answer.subscribed.append(channel)
            taken.append(channel)
        if not unconfirmed:
            answer.texts.append(_result(number, taken[::-1], now))
        return answer

    def _leave(self, session: Session, number: object, channels: list[str], now: int) -> Answer:
        gone = [channel for channel in channels if session.topics.pop(channel, 0) is None]
        return Answer([_result(number, gone[::-1], now)], unsubscribed=gone)

    def tick(self, session: Session, now: int) -> Answer | None:
        memory = session.memory
        if memory["asked"] and now - memory["asked"] > ANSWER_WITHIN:
            return Answer(close=(4000, "heartbeat close"))
        if not memory["interval"]:
            dumb = not session.topics and now - memory["heard"] > DUMB_FOR
            return Answer(close=(1001, "")) if dumb else None
        if now - memory["beat"] < memory["interval"] * SECOND:
            return None
        memory["beat"], memory["asked"] = now, memory["asked"] or now
        return Answer([HEARTBEAT, TEST_REQUEST])

    def shutdown_notice(self, session: Session) -> str | None:
        """Said to whoever listens to the platform's state."""
        if "platform_state" not in session.topics:
            return None
        return '{"jsonrpc":"2.0","method":"subscription","params":{"channel":"platform_state","data":{"maintenance":true}}}'

    def describe(self, key: str) -> tuple[Channel, str]:
        if key in STATES:
            return Channel.STATUS, ""
        kind, _, rest = key.partition(".")
        return CHANNELS.get(kind, Channel.OTHER), rest.partition(".")[0]

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        listing = path == f"{BASE}/get_instruments"
        fits = self._listings.spend(LISTING_COST, now) if listing else self._requests.spend(CALL_COST, now)
        return None if fits else self.rest_error(429, None)

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return query.get("instrument_name", "")

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        """No Retry-After, whatever is wrong."""
        code, said = (10028, "too_many_requests") if status == 429 else (11051, "system_maintenance")
        return RestReply(status, _error(None, code, said).encode())

    def not_found(self, path: str) -> RestReply:
        return RestReply(400, _error(None, -32601, "Method not found").encode())


def _result(number: object, result: object, now: int) -> str:
    microseconds = now // 1_000
    said = {
        "jsonrpc": "2.0",
        "id": number,
        "result": result,
        "usIn": microseconds,
        "usOut": microseconds + 1519,
        "usDiff": 1519,
        "testnet": False,
    }
    return orjson.dumps(said).decode()


def _error(number: object, code: int, message: str, data: object = None) -> str:
    said = {"jsonrpc": "2.0", "error": {"code": code, "message": message, "data": data}}
    return orjson.dumps(said if number is None else {**said, "id": number}).decode()


def _wrong(number: object, param: str, reason: str) -> str:
    return _error(number, -32602, "Invalid params", {"param": param, "reason": reason})
