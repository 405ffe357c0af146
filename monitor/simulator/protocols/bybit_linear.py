"""Bybit linear as a client meets it: one unknown topic fails its whole batch, the client pings, pages are followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

STATUS_PATH = "/v5/public/misc/status"
MAX_ARGS = (
    10  # spot's documented bound; the real linear socket states none, but a client that obeys 10 is safe everywhere
)
MAX_ARGS_LENGTH = 21_000  # characters of topics on one connection
REST_PER_5S = 600
CONNECTION = "465772b1-7630-4fdc-a492-e003e6f0f260"


class BybitFront(Front):
    """`category` is the one this socket serves; `agreed` what an accepted request is answered with (spot repeats the operation)."""

    venue = "bybit_linear"
    category: ClassVar[str] = "linear"
    agreed: ClassVar[Mapping[str, str]] = {}
    snapshot_paths: ClassVar[tuple[str, ...]] = ("/v5/market/orderbook",)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_PER_5S, 5)
        self._blocked_until = 0

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        place = path.rstrip("/")
        if place not in (f"/v5/public/{self.category}", STATUS_PATH):
            return None
        return Session(number, "status" if place == STATUS_PATH else self.category, "raw", now, last_active=now)

    def receive(self, session: Session, text: str, now: int) -> Answer:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return Answer(
                texts=[self._said(session, "", "", ok=False, text=f"Failed to decode incoming data:{text[:80]}")]
            )
        if not isinstance(message, dict):
            return Answer(texts=[self._said(session, "", "", ok=False, text="error:invalid op")])
        number, op = str(message.get("req_id", "")), message.get("op")
        if op == "ping":
            return Answer(texts=[self._said(session, number, "ping", ok=True, text="pong")])
        args = message.get("args", [])
        known = op in ("subscribe", "unsubscribe") and isinstance(args, list) and all(isinstance(a, str) for a in args)
        if not known:
            return Answer(texts=[self._said(session, number, str(op), ok=False, text="error:invalid op")])
        if op == "unsubscribe":
            gone = [topic for topic in args if session.topics.pop(topic, 0) is None]
            return Answer(texts=[self._accepted(session, number, "unsubscribe")], unsubscribed=gone)
        return self._subscribe(session, number, args)

    def _subscribe(self, session: Session, number: str, topics: list[str]) -> Answer:
        problem = ""
        treatments = {topic: self.treat(topic) for topic in topics}
        if len(topics) > MAX_ARGS:
            problem = "args size >10"
        elif sum(map(len, (*session.topics, *topics))) > MAX_ARGS_LENGTH:
            problem = "error:args length exceeds 21000"
        else:
            for topic in topics:
                # One topic the venue does not know takes the whole batch with it.
                if treatments[topic].refuse or not self._known(session, topic):
                    problem = f"error:handler not found,topic:{topic}"
                    break
                if topic in session.topics:
                    problem = f"error:already subscribed,topic:{topic}"
                    break
        if problem:
            return Answer(texts=[self._said(session, number, "subscribe", ok=False, text=problem)])
        session.topics.update(dict.fromkeys(topics))
        answer = Answer(subscribed=topics)
        if not any(t.no_ack for t in treatments.values()):
            answer.texts.append(self._accepted(session, number, "subscribe"))
        return answer

    def _known(self, session: Session, topic: str) -> bool:
        if session.route == "status":
            return topic == "system.status"
        return topic != "system.status" and self.knows(topic)

    def _accepted(self, session: Session, number: str, op: str) -> str:
        return self._said(session, number, op, ok=True, text=self.agreed.get(op, ""))

    def _said(self, session: Session, number: str, op: str, *, ok: bool, text: str) -> str:
        said = {
            "success": ok,
            "ret_msg": text,
            "conn_id": f"{CONNECTION[:-4]}{session.number:04x}",
            "req_id": number,
            "op": op,
        }
        return orjson.dumps(said).decode()

    def describe(self, key: str) -> tuple[Channel, str]:
        kind, _, rest = key.partition(".")
        kinds = {"orderbook": Channel.BOOK, "publicTrade": Channel.TRADES, "allLiquidation": Channel.LIQUIDATIONS}
        kinds |= {"tickers": Channel.TICKER, "system": Channel.STATUS}
        return kinds.get(kind, Channel.OTHER), "" if kind == "system" else rest.rsplit(".", 1)[-1]

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        if now < self._blocked_until:
            return self.rest_error(403, None)
        if self._requests.spend(1, now):
            return None
        self._blocked_until = now + 600 * SECOND  # "access too frequent": wait at least ten minutes
        return self.rest_error(403, None)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if status == 403:
            text = b"<html><head><title>403 Forbidden</title></head><body>access too frequent</body></html>"
            return RestReply(403, text, headers, "text/html")
        code, text_said = (10006, "Too many visits!") if status == 429 else (10016, "Server error")
        return RestReply(status, rest_body(code, text_said, {}, 0), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b"404 page not found", content_type="text/plain")


def rest_body(code: int, text: str, result: object, now_ms: int) -> bytes:
    return orjson.dumps({"retCode": code, "retMsg": text, "result": result, "retExtInfo": {}, "time": now_ms})
