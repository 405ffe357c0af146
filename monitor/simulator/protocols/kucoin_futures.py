"""KuCoin Futures as a client meets it: a socket without token that talks in binary frames, and an older one behind a token.

Both acknowledge what does not exist and stay silent about it. The whole book comes a while after the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from monitor.facts import Channel
from monitor.simulator.protocols.base import SECOND, Answer, Encoding, Front, Session, WeightWindow
from monitor.simulator.protocols.kucoin_futures_frames import BASE, DEPTHS, TOKEN
from monitor.simulator.source import RestReply

WEIGHTS = {"bullet-public": 10, "contracts/active": 3, "level2/snapshot": 3, "status": 4}
TIERS_WEIGHT = 5
REST_PER_30S = 2000
TOKEN_HOURS = 24
MESSAGES_PER_10S = {"uta": 300, "classic": 100}
TOPICS = {"uta": 600, "classic": 400}
PING_SECONDS = 60  # without a ping: the older socket closes, the newer one where nothing is subscribed
SNAPSHOT_NS = SECOND // 2  # from the acknowledgement to the whole book, at the quickest
NO_GOODBYE = 1006
UTA_KINDS = {"obu": Channel.BOOK, "trade": Channel.TRADES}
OLDER_KINDS = (
    "/contract/instrument",
    "/contractMarket/level2",
    "/contractMarket/execution",
    "/contractMarket/tickerV2",
)


class KucoinFuturesFront(Front):
    venue = "kucoin_futures"
    snapshot_paths = (f"{BASE}/level2/snapshot",)

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._requests = WeightWindow(REST_PER_30S, 30)
        self._token_at: int | None = None  # when one was last asked for

    # -- sockets
    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | RestReply | None:
        """The two hosts share one address here: the older socket's has a token in it."""
        if path != "/":
            return None
        mode = "classic" if "token" in query or "connectId" in query else "uta"
        if mode == "classic":
            fresh = self._token_at is not None and now - self._token_at <= TOKEN_HOURS * 3600 * SECOND
            if not fresh or query.get("token") != TOKEN:
                return RestReply(
                    401, orjson.dumps({"id": "", "type": "error", "code": 401, "data": "token is invalid"})
                )
        memory = {"pinged": now, "waiting": {}, "name": query.get("connectId", f"{number:016x}")}
        return Session(number, "futures", mode, now, last_active=now, memory=memory)

    def welcome(self, session: Session) -> list[str]:
        if session.mode == "classic":
            return [orjson.dumps({"id": session.memory["name"], "type": "welcome"}).decode()]
        said = {"sessionId": session.memory["name"], "message": "welcome", "pingInterval": 18000}
        return [orjson.dumps(said).decode()]

    def receive(self, session: Session, text: str, now: int) -> Answer:
        session.messages.append(now)
        while session.messages[0] <= now - 10 * SECOND:
            session.messages.popleft()
        if len(session.messages) > MESSAGES_PER_10S[session.mode]:
            return Answer(close=(NO_GOODBYE, ""))
        classic = session.mode == "classic"
        try:
            message = orjson.loads(text)
            number = message["id"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return Answer(texts=[_error(None, 400, "parse error")] if classic else [])  # the newer one says nothing
        if message.get("type") == "ping":
            session.memory["pinged"] = now
            at = {"timestamp": now // 1000} if classic else {"ts": now}
            return Answer(texts=[orjson.dumps({"id": number, "type": "pong", **at}).decode()])
        return self._older(session, message) if classic else self._newer(session, message, now)

    def _newer(self, session: Session, message: Mapping[str, Any], now: int) -> Answer:
        number, action, channel = message["id"], message.get("action"), message.get("channel")
        symbol, depth = message.get("symbol"), message.get("depth", "")
        good = action in ("SUBSCRIBE", "UNSUBSCRIBE") and channel in UTA_KINDS and isinstance(symbol, str)
        if not good or (channel == "obu" and depth not in DEPTHS):
            return Answer(texts=[_result(number, message="invalid request data")])
        if message.get("tradeType") != "FUTURES":
            said = f'topic {str(channel).capitalize()} type = "public_spot" not allowed in current environment'
            return Answer(texts=[_result(number, reason=said)])
        key, waiting = f"{channel}:{symbol}", session.memory["waiting"]
        if action == "UNSUBSCRIBE":
            waiting.pop(key, None)
            gone = [key] if session.topics.pop(key, 0) is None else []
            return Answer([_result(number)], unsubscribed=gone)
        treatment = self.treat(key)
        if treatment.refuse or len(session.topics) >= TOPICS["uta"]:
            return Answer(texts=[_result(number, message="invalid request data")])
        joins: list[str] = []
        if key not in session.topics:  # a second time it is acknowledged, and nothing else
            session.topics[key] = None
            if channel == "obu" and self.knows(key):
                waiting[key] = now + SNAPSHOT_NS
            elif self.knows(key):
                joins = [key]
        return Answer([] if treatment.no_ack else [_result(number)], subscribed=joins)

    def _older(self, session: Session, message: Mapping[str, Any]) -> Answer:
        number, kind, key = message["id"], message.get("type"), str(message.get("topic"))
        ack = orjson.dumps({"id": number, "type": "ack"}).decode()
        if kind not in ("subscribe", "unsubscribe"):
            return Answer(texts=[_error(number, 400, f"type is not supported: {kind}")])
        if kind == "unsubscribe":
            return Answer([ack], unsubscribed=[key] if session.topics.pop(key, 0) is None else [])
        treatment = self.treat(key)
        name, _, symbol = key.partition(":")
        if treatment.refuse or name not in OLDER_KINDS or not symbol:
            return Answer(texts=[_error(number, 404, "topic does not exist")])
        if len(session.topics) >= TOPICS["classic"]:
            return Answer(texts=[_error(number, 509, "exceed max subscription count limitation")])
        joins = [key] if key not in session.topics and self.knows(key) else []
        session.topics[key] = None
        return Answer([] if treatment.no_ack or not message.get("response") else [ack], subscribed=joins)

    def tick(self, session: Session, now: int) -> Answer | None:
        needs_pings = session.mode == "classic" or not session.topics
        if needs_pings and now - session.memory["pinged"] > PING_SECONDS * SECOND:
            bye = [_error(None, 400, "ping timeout")] if session.mode == "classic" else []
            return Answer(texts=bye, close=(1000, "Bye"))
        waiting = session.memory["waiting"]
        due = [key for key, at in waiting.items() if at <= now]
        for key in due:
            del waiting[key]
        return Answer(subscribed=due) if due else None

    def describe(self, key: str) -> tuple[Channel, str]:
        name, _, symbol = key.partition(":")
        older = Channel.TICKER if name == OLDER_KINDS[0] else Channel.OTHER
        return UTA_KINDS.get(name, older), symbol

    def encoding(self, session: Session) -> Encoding:
        return "text" if session.mode == "classic" else "binary"

    # -- REST
    def symbol_of(self, path: str, query: Mapping[str, str]) -> str:
        _, found, symbol = path.partition("/contracts/risk-limit/")
        return symbol if found else query.get("symbol", "")

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        name = path.removeprefix(f"{BASE}/")
        if not self._requests.spend(WEIGHTS.get(name, TIERS_WEIGHT), now):
            return self.rest_error(429, None)
        if name == "bullet-public":
            self._token_at = now
        return None

    def dress(self, reply: RestReply) -> RestReply:
        left = max(0, REST_PER_30S - self._requests.used)
        pool = {
            "gw-ratelimit-limit": str(REST_PER_30S),
            "gw-ratelimit-remaining": str(left),
            "gw-ratelimit-reset": "30000",
        }
        return RestReply(reply.status, reply.body, {**reply.headers, **pool}, reply.content_type)

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        code, text = ("429000", "Too Many Requests") if status == 429 else ("500000", "Internal Server Error")
        return RestReply(status, orjson.dumps({"code": code, "msg": text}), headers)

    def not_found(self, path: str) -> RestReply:
        """Errors come with status 200: the code tells them."""
        return RestReply(200, orjson.dumps({"code": "404000", "msg": "URL Not Found"}))


def _result(number: object, **wrong: str) -> str:
    return orjson.dumps({"id": number, "result": not wrong, **wrong}).decode()


def _error(number: object, code: int, text: str) -> str:
    return orjson.dumps({"id": number, "type": "error", "code": code, "data": text}).decode()
