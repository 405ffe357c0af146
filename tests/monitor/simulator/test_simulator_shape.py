"""What a simulated venue may be like beyond plain text on one socket: a made-up one that numbers, compresses, asks for tokens, talks by itself."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import aiohttp
import orjson
import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from monitor.facts import Channel
from monitor.simulator.misbehaviour import GARBAGE, Faults
from monitor.simulator.protocols.base import Answer, Encoding, Front, Session
from monitor.simulator.server import VenueServer
from monitor.simulator.source import OutFrame, RestReply

SECOND = 1_000_000_000


class MadeUp(Front):
    """Frames are {"t":key,"n":number,...}; the mode of a socket is its path: text, binary or gzip."""

    venue = "made_up"
    numbers: ClassVar[bool] = True
    reads_headers: ClassVar[tuple[str, ...]] = ("x-decimals",)
    snapshot_paths: ClassVar[tuple[str, ...]] = ("/snapshot",)

    def open(self, path: str, query: Mapping[str, str], number: int, now: int) -> Session | RestReply | None:
        mode = path.strip("/")
        if mode not in ("text", "binary", "gzip"):
            return None
        if query.get("token") != "good":
            return RestReply(401, b'{"code":"bad token"}')
        session = Session(number, path, mode, now)
        session.memory["decimals"] = query.get("x-decimals", "0")
        return session

    def welcome(self, session: Session) -> list[str]:
        return [orjson.dumps({"welcome": session.memory["decimals"]}).decode()]

    def receive(self, session: Session, text: str, now: int) -> Answer:
        if text == "bye":
            return Answer(close=(4000, "as you wish"))
        if text == "vanish":
            return Answer(close=(1006, ""))
        session.topics[text] = None
        return Answer([orjson.dumps({"took": text}).decode()], subscribed=[text])

    def tick(self, session: Session, now: int) -> Answer | None:
        if now - session.opened_at < 20 * SECOND or "pinged" in session.memory:
            return None
        session.memory["pinged"] = True
        return Answer(['{"ping":1}'])

    def shutdown_notice(self, session: Session) -> str | None:
        return '{"end":"soon"}'

    def served(self, session: Session, key: str) -> bool:
        return key != "mute"

    def envelope(self, session: Session, key: str, data: bytes) -> bytes:
        return b'{"t":"' + key.encode() + b'","d":' + data + b"}"

    def number(self, session: Session, data: bytes) -> bytes:
        session.numbered += 1
        return data[:-1] + b',"n":%d}' % session.numbered

    def encoding(self, session: Session) -> Encoding:
        return {"text": "text", "binary": "binary", "gzip": "gzip"}[session.mode]  # type: ignore[return-value]

    def describe(self, key: str) -> tuple[Channel, str]:
        return (Channel.BOOK if key.startswith("book") else Channel.TRADES), "M"

    def limit(self, path: str, query: Mapping[str, str], now: int) -> RestReply | None:
        return None

    def seed_request(self, symbol: str) -> tuple[str, dict[str, str]] | None:
        return "/snapshot", {"symbol": symbol}

    def rest_error(self, status: int, retry_after: int | None) -> RestReply:
        return RestReply(status, b"{}")

    def not_found(self, path: str) -> RestReply:
        return RestReply(404, b"{}")


class Source:
    """Openings count how often they were asked for; REST tells what it was asked."""

    outages: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.openings = 0
        self.snapshots = 0
        self.started: list[str] = []

    def knows(self, venue: str, key: str) -> bool:
        return True

    def opening(self, venue: str, key: str) -> list[bytes]:
        self.openings += 1
        return [b"%d" % -self.openings] if key.startswith("book") else []

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        if path == "/snapshot":
            self.snapshots += 1
            return RestReply(200, b"%d" % self.snapshots)
        return RestReply(200, orjson.dumps(dict(query))) if path == "/echo" else None

    def started_by(self, venue: str, key: str) -> None:
        self.started.append(key)

    def next_due(self) -> int | None:
        return None

    def advance(self, elapsed_ns: int) -> Iterable[OutFrame]:
        return ()


class Stage:
    def __init__(self) -> None:
        self.now = 0
        self.faults = Faults(lambda: self.now)
        self.source = Source()
        self.server = VenueServer(MadeUp, self.source, self.faults, lambda: self.now)

    def send(self, key: str, number: int) -> None:
        self.server.publish(OutFrame("made_up", key, b"%d" % number))


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.server.start("127.0.0.1")
    try:
        yield stage
    finally:
        await stage.server.stop()


@asynccontextmanager
async def socket(stage: Stage, mode: str = "text", **headers: str) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{stage.server.port}/{mode}?token=good"
    async with connect(url, proxy=None, compression=None, additional_headers=headers) as ws:
        yield ws


async def said(ws: ClientConnection) -> Any:
    data = await ws.recv()
    return orjson.loads(gzip.decompress(data) if isinstance(data, bytes) and data[:2] == b"\x1f\x8b" else data)


async def drain(ws: ClientConnection) -> None:
    """Read until the socket closes, which raises."""
    while True:
        await ws.recv()


@pytest.mark.parametrize("mode", ["text", "binary", "gzip"])
async def test_a_socket_gets_its_own_encoding_and_whatever_is_said_is_numbered(mode: str) -> None:
    async with staged() as stage, socket(stage, mode) as ws:
        raw = await ws.recv()
        assert isinstance(raw, str) == (mode == "text")
        if mode == "gzip":
            assert isinstance(raw, bytes)
            raw = gzip.decompress(raw)
        assert orjson.loads(raw) == {"welcome": "0", "n": 1}
        await ws.send("book")
        assert await said(ws) == {"took": "book", "n": 2}
        assert await said(ws) == {"t": "book", "d": -1, "n": 3}
        stage.send("book", 7)
        assert await said(ws) == {"t": "book", "d": 7, "n": 4}
        assert stage.source.started == ["book"]


async def test_each_socket_has_its_own_numbers() -> None:
    async with staged() as stage, socket(stage) as one, socket(stage, "gzip") as two:
        for ws in (one, two):
            await said(ws)
            await ws.send("trades")
            await said(ws)
        await one.send("mute")
        await said(one)
        stage.send("trades", 1)
        assert (await said(one))["n"] == 4
        assert (await said(two))["n"] == 3


async def test_a_lost_frame_takes_its_number_and_a_silent_topic_takes_none() -> None:
    async with staged() as stage, socket(stage) as ws:
        for topic in ("trades", "book"):
            await ws.send(topic)
        for _ in range(4):  # the welcome, two acknowledgements, one opening
            last = await said(ws)
        assert last["n"] == 4
        stage.faults.inject("gap", channel="trades")
        stage.send("trades", 1)
        stage.send("trades", 2)
        assert await said(ws) == {"t": "trades", "d": 2, "n": 6}
        stage.faults.inject("duplicate", channel="trades")
        stage.send("trades", 3)
        assert [await said(ws), await said(ws)] == [{"t": "trades", "d": 3, "n": 7}] * 2
        fault = stage.faults.inject("silence", channel="trades")
        stage.send("trades", 4)
        stage.send("book", 5)
        assert await said(ws) == {"t": "book", "d": 5, "n": 8}
        stage.faults.clear(fault.number)
        stage.faults.inject("reorder", channel="trades")
        stage.send("trades", 6)
        stage.send("book", 7)
        stage.send("trades", 8)
        assert [(m["d"], m["n"]) for m in [await said(ws) for _ in range(3)]] == [(7, 10), (8, 11), (6, 9)]
        stage.faults.inject("garbage_frame", channel="trades")
        stage.send("trades", 9)
        assert (await ws.recv(decode=False)) == GARBAGE
        assert (await said(ws))["n"] == 12
        stage.faults.inject("truncate", channel="trades")
        stage.send("trades", 10)
        assert (await ws.recv(decode=False)) == b'{"t":"trades",'


async def test_a_wrong_token_is_refused_at_the_handshake_and_headers_are_seen() -> None:
    async with staged() as stage:
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{stage.server.port}/text?token=spent", proxy=None):
                pass
        assert refused.value.response.status_code == 401
        assert refused.value.response.body == b'{"code":"bad token"}'
        with pytest.raises(websockets.InvalidStatus) as nowhere:
            async with connect(f"ws://127.0.0.1:{stage.server.port}/other?token=good", proxy=None):
                pass
        assert nowhere.value.response.status_code == 404
        async with socket(stage, **{"X-Decimals": "1"}) as ws:
            assert (await said(ws))["welcome"] == "1"


async def test_posted_members_and_headers_reach_rest_as_the_query_does() -> None:
    async with staged() as stage, aiohttp.ClientSession() as http:
        address = f"http://127.0.0.1:{stage.server.port}/echo?a=1"
        async with http.post(
            address, json={"type": "meta", "n": 3, "deep": {"x": [1]}}, headers={"X-Decimals": "1"}
        ) as reply:
            assert await reply.json() == {"a": "1", "type": "meta", "n": "3", "deep": '{"x":[1]}', "x-decimals": "1"}
        for body in (b"", b"[1]", b"{nonsense"):
            async with http.post(address, data=body) as reply:
                assert await reply.json() == {"a": "1"}
        async with http.get(address, headers={"X-Other": "1"}) as reply:
            assert await reply.json() == {"a": "1"}


async def test_the_venue_speaks_and_hangs_up_by_itself() -> None:
    async with staged() as stage, socket(stage) as ws, socket(stage) as polite, socket(stage) as rude:
        for each in (ws, polite, rude):
            await said(each)
        stage.server.housekeeping(0.05)
        stage.now = 21 * SECOND
        stage.server.housekeeping(0.05)
        assert await said(ws) == {"ping": 1, "n": 2}
        stage.server.housekeeping(0.05)
        stage.faults.inject("shutdown_notice")
        assert await said(ws) == {"end": "soon", "n": 3}
        await polite.send("bye")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await drain(polite)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4000, "as you wish")
        await rude.send("vanish")
        with pytest.raises(websockets.ConnectionClosed) as gone:
            await drain(rude)
        assert gone.value.rcvd is None


async def test_a_stale_snapshot_is_kept_from_the_stream_and_from_rest() -> None:
    async with staged() as stage, socket(stage) as ws:
        await ws.send("book")
        for _ in range(3):
            last = await said(ws)
        assert last["d"] == -1
        fault = stage.faults.inject("stale_snapshot", channel="book", count=2)
        assert stage.source.snapshots == 1  # taken at the moment of the order
        await ws.send("book")
        assert [(await said(ws)).get("d") for _ in range(2)] == [None, -2]
        assert stage.server.rest("/snapshot", {"symbol": "M"}).body == b"1"
        assert fault.number not in stage.faults.standing
        assert stage.server.rest("/snapshot", {"symbol": "M"}).body == b"2"
