"""Gate's USDT futures socket as a client meets it: one channel a frame, "success" also for what does not exist, application pings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

PATH = "/v4/ws/usdt"
REST_PER_10S = 200
IDLE_SECONDS = 30.5  # a socket without a subscription and without a word of the client
SIZE_HEADER = "x-gate-size-decimal"
CHANNELS = {
    "futures.obu": Channel.BOOK,
    "futures.trades": Channel.TRADES,
    "futures.tickers": Channel.TICKER,
    "futures.public_liquidates": Channel.LIQUIDATIONS,
}
SILENT_ABOUT_ERRORS = ("futures.obu",)  # never says that a symbol or a depth does not exist
NO_GOODBYE = 1006


class GateFront(Front):
    venue = "gate_usdt"
    reads_headers: ClassVar[tuple[str, ...]] = (SIZE_HEADER,)
    repeats_payload = True  # of a success; in captures of 2023 none does

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_PER_10S, 10)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        if path.rstrip("/") != PATH:
            return None
        exact = query.get(SIZE_HEADER) == "1"
        return Session(number, "usdt", "exact" if exact else "floored", now, last_active=now, memory={"heard": now})

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.memory["heard"] = now
        try:
            message = orjson.loads(text)
            channel, event, payload = message["channel"], message.get("event", ""), message.get("payload", [])
            good = isinstance(channel, str) and isinstance(payload, list) and isinstance(message["time"], int)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            good = False
        if not good:
            return Answer(texts=[self._said(session, now, "", "", [], error=(1, "request message need json scheme"))])
        if abs(message["time"] - now // SECOND) > 60:
            return Answer(texts=[self._said(session, now, channel, event, payload, error=(1, "invalid time"))])
        if channel == "futures.ping":
            pong = {"time": now // SECOND, "time_ms": now // 1_000_000, "conn_id": self._name(session)}
            return Answer(
                texts=[orjson.dumps({**pong, "channel": "futures.pong", "event": "", "result": None}).decode()]
            )
        if channel not in CHANNELS or event not in ("subscribe", "unsubscribe"):
            error = (2, f"unknown channel {channel}")
            return Answer(texts=[self._said(session, now, channel, event, payload, error=error)])
        keys = [f"{channel}:{name}" for name in payload]
        if event == "unsubscribe":
            gone = [key for key in keys if session.topics.pop(key, 0) is None]
            return Answer(texts=[self._said(session, now, channel, event, payload)], unsubscribed=gone)
        return self._subscribe(session, now, channel, payload, keys)

    def _subscribe(self, session: Session, now: int, channel: str, payload: list[str], keys: list[str]) -> Answer:
        treatments = {key: self.treat(key) for key in keys}
        for name, key in zip(payload, keys, strict=True):
            unknown = not self.knows(key) and channel not in SILENT_ABOUT_ERRORS
            if treatments[key].refuse or unknown:
                error = (2, f"unknown currency pair {name}")
                return Answer(texts=[self._said(session, now, channel, "subscribe", payload, error=error)])
            if key in session.topics:
                error = (2, f"Alert sub {name}")
                return Answer(texts=[self._said(session, now, channel, "subscribe", payload, error=error)])
        session.topics.update(dict.fromkeys(keys))
        texts = [self._said(session, now, channel, "subscribe", payload)]
        return Answer(
            [] if any(each.no_ack for each in treatments.values()) else texts,
            subscribed=[key for key in keys if self.knows(key)],
        )

    def _said(
        self,
        session: Session,
        now: int,
        channel: str,
        event: str,
        payload: list[str],
        error: tuple[int, str] | None = None,
    ) -> str:
        said: dict[str, object] = {
            "time": now // SECOND,
            "time_ms": now // 1_000_000,
            "conn_id": self._name(session),
            "channel": channel,
            "event": event,
        }
        if error is not None:  # it does not say what was asked
            said["error"] = {"code": error[0], "message": error[1]}
        elif self.repeats_payload:
            said["payload"] = payload
        return orjson.dumps({**said, "result": {"status": "success" if error is None else "fail"}}).decode()

    @staticmethod
    def _name(session: Session) -> str:
        return f"c59a69fd{session.number:08x}"

    def tick(self, session: Session, now: int) -> Answer | None:
        idle = not session.topics and now - session.memory["heard"] > IDLE_SECONDS * SECOND
        return Answer(close=(NO_GOODBYE, "")) if idle else None

    def shutdown_notice(self, session: Session) -> str | None:
        result = {"type": "upgrade", "msg": "The server will be upgraded soon, please reconnect"}
        return orjson.dumps({"channel": "futures.system", "event": "update", "result": result}).decode()

    def describe(self, key: str) -> tuple[Channel, str]:
        channel, _, name = key.partition(":")
        symbol = name.removeprefix("ob.").rpartition(".")[0] if channel == "futures.obu" else name
        return CHANNELS.get(channel, Channel.OTHER), "" if symbol == "!all" else symbol

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        """Without the header sizes of trades and liquidations come as whole numbers, rounded down."""
        if session.mode == "exact" or key.startswith(("futures.obu", "futures.tickers")):
            return data
        message = orjson.loads(data)
        for row in message["result"]:
            row["size"] = int(float(row["size"]))
        return orjson.dumps(message)

    def envelope_kind(self, session: Session) -> str:
        return session.mode

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return query.get("contract", "")

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        label = "TOO_MANY_REQUESTS" if status == 429 else "SERVER_ERROR"
        return RestReply(status, orjson.dumps({"label": label, "message": "later"}), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, orjson.dumps({"label": "URL_NOT_FOUND", "message": path}))
