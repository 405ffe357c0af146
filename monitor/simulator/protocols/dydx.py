"""dYdX's indexer as a client meets it: the confirmation is the first data, and numbers that may overtake each other.

The number of an answer is taken when the request comes in; a confirmation is sent when its data has been fetched, and what other
topics of the socket say meanwhile has higher numbers and comes first. (The indexer's `websocket/index.ts`, `lib/subscription.ts`.)
A confirmation is not to be had without its data, so a subscription that is "never confirmed" begins like any other here.

Not on the venue's page, so this simulator's own: the words of a REST refusal.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Front, Session, WeightWindow
from monitor.simulator.source import RestReply

FETCH_NS = SECOND // 20
PER_CHANNEL = 32
SUBSCRIBES_PER_SECOND = 2  # of one topic on one socket
INVALID_PER_SECOND = 2
REST_REQUESTS, REST_SECONDS = 100, 10
POLICY, RATE_LIMITED = 1008, '{"message":"Rate limited"}'
KINDS = {
    "v4_orderbook": Channel.BOOK,
    "v4_trades": Channel.TRADES,
    "v4_markets": Channel.TICKER,
    "v4_block_height": Channel.TICKER,
}
WITHOUT_ID = ("v4_markets", "v4_block_height")
ABOUT = re.compile(rb'\{"type":"([a-z_]+)",(?:"id":"([^"]+)",)?"channel":"([a-z0-9_]+)"(?:,"id":"([^"]+)")?')


class DydxFront(Front):
    venue = "dydx"
    numbers = True
    server_ping_seconds = 30.0

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_REQUESTS, REST_SECONDS)

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | None:
        if path.rstrip("/") != "/v4/ws":
            return None
        session = Session(number, "v4", "raw", now, last_active=now)
        session.memory |= {
            "name": str(UUID(int=number)),
            "fetching": deque(),  # (due, key) of subscriptions whose data is being fetched
            "taken": {},  # key -> number its confirmation will have
            "asked": {},  # key -> its subscribes within the last second
            "invalid": WeightWindow(INVALID_PER_SECOND, 1),
        }
        return session

    def welcome(self, session: Session) -> list[str]:
        return [_text({"type": "connected", "connection_id": session.memory["name"], "message_id": 0})]

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.last_active = now
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            return self._invalid(session, "Invalid message: could not parse", now)
        kind = message.get("type") if isinstance(message, dict) else None
        if not kind:
            return self._invalid(session, "Invalid message: type is required", now)
        if kind == "ping":
            return Answer()
        if kind not in ("subscribe", "unsubscribe"):
            return self._invalid(session, f"Invalid message type: {kind}", now)
        channel, name = message.get("channel"), message.get("id")
        if channel not in KINDS:
            return Answer([self._error(session, f"Invalid channel: {channel}", session.numbered)])
        if channel not in WITHOUT_ID and not isinstance(name, str):
            return Answer([self._error(session, f"Invalid id: {name}", session.numbered)])
        session.numbered += 1
        key = channel if channel in WITHOUT_ID else f"{channel}:{name}"
        return self._join(session, key, now) if kind == "subscribe" else self._leave(session, key)

    def _join(self, session: Session, key: str, now: int) -> Answer:
        channel, _, name = key.partition(":")
        treatment = self.treat(key)
        if treatment.refuse or not self.knows(key):
            said = f"Invalid subscription id for channel: ({channel}-{name})"
            return Answer([self._error(session, said, session.numbered)])
        if not session.memory["asked"].setdefault(key, WeightWindow(SUBSCRIBES_PER_SECOND, 1)).spend(1, now):
            said = f"Too many subscribe attempts for channel {channel}-{name}. Please  reconnect and try again."
            return Answer([self._error(session, said, session.numbered)], close=(POLICY, RATE_LIMITED))
        if key in session.topics:
            said = f"Invalid subscribe message: already subscribed ({channel}-{name})"
            return Answer([self._error(session, said, session.numbered)])
        if sum(topic.partition(":")[0] == channel for topic in session.topics) >= PER_CHANNEL:
            said = f"Per-connection subscription limit reached for {channel} (limit={PER_CHANNEL})."
            return Answer([self._error(session, said, session.numbered)])
        session.topics[key] = None
        session.memory["taken"][key] = session.numbered
        session.memory["fetching"].append((now + FETCH_NS, key))
        return Answer()

    def _leave(self, session: Session, key: str) -> Answer:
        """Confirmed whether or not there was anything to leave."""
        channel, _, name = key.partition(":")
        session.topics.pop(key, None)
        said = {"type": "unsubscribed", **self._numbered(session, session.numbered), "channel": channel}
        return Answer([_text(said | ({"id": name} if name else {}))], unsubscribed=[key])

    def tick(self, session: Session, now: int) -> Answer | None:
        fetching: deque[tuple[int, str]] = session.memory["fetching"]
        ready = []
        while fetching and fetching[0][0] <= now:
            key = fetching.popleft()[1]
            if key in session.topics:
                ready.append(key)
        return Answer(subscribed=ready) if ready else None

    def number(self, session: Session, data: bytes) -> bytes:
        found = ABOUT.match(data)
        if found is None:  # said by the front itself, which has numbered it
            return data
        kind, before, channel, behind = found.groups()
        name = before or behind
        key = channel.decode() + (f":{name.decode()}" if name and channel.decode() not in WITHOUT_ID else "")
        taken = session.memory["taken"].pop(key, None) if kind == b"subscribed" else None
        if taken is None:
            session.numbered += 1
            taken = session.numbered
        head = b'{"type":"%b",' % kind
        return b'%b"connection_id":"%b","message_id":%d,%b' % (
            head, session.memory["name"].encode(), taken, data[len(head) :],
        )  # fmt: skip

    def describe(self, key: str) -> tuple[Channel, str]:
        channel, _, name = key.partition(":")
        return KINDS.get(channel, Channel.OTHER), name

    def _invalid(self, session: Session, said: str, now: int) -> Answer:
        if session.memory["invalid"].spend(1, now):
            return Answer([self._error(session, said, session.numbered)])
        said = "Too many invalid messages. Please reconnect and try again."
        return Answer([self._error(session, said, session.numbered)], close=(POLICY, RATE_LIMITED))

    def _error(self, session: Session, said: str, number: int) -> str:
        return _text({"type": "error", "message": said, **self._numbered(session, number)})

    def _numbered(self, session: Session, number: int) -> dict[str, object]:
        return {"connection_id": session.memory["name"], "message_id": number}

    # -- REST
    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None if self._requests.spend(1, now) else self.rest_error(429, None)

    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        return path.rpartition("/")[2] if "/perpetualMarket/" in path else query.get("ticker", "")

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        said = "Too many requests" if status == 429 else "Unavailable"
        return RestReply(status, _text({"errors": [{"msg": said}]}).encode(), headers)

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b'{"errors":[{"msg":"Not Found"}]}')


def _text(message: object) -> str:
    return orjson.dumps(message).decode()
