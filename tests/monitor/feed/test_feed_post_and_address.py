"""Requests with a body, headers a venue wants, and sockets whose address the venue hands out."""

from __future__ import annotations

import http
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import orjson
import pytest
import structlog
from aiohttp import web
from feed_fakes import TinyVenue
from feed_servers import TinyServer, running

from monitor.capture.format import encode
from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import Connected, Fetch, OpenSuccessor, RestReplied
from monitor.feed.rest_budget import PRIORITY, RestBudget
from monitor.venues.base import ConnectionPlan, RestRequest

TOKEN = "s3cret-0f-th1s-c0nnecti0n"
ASK = RestRequest("address", "http://tiny.invalid/bullet", 10, body="{}")


class AskingVenue(TinyVenue):
    """Its sockets' addresses come by POST, each good for one connection."""

    headers: ClassVar[Mapping[str, str]] = {"X-Size-Form": "decimal", "User-Agent": "undertow"}
    per_connection = 1

    def connections(self, instruments: Any) -> list[ConnectionPlan]:
        return [replace(plan, address=ASK) for plan in super().connections(instruments)]

    def address(self, plan: ConnectionPlan, body: bytes) -> str:
        said = orjson.loads(body)
        if "token" not in said:
            raise FrameError(f"no token in {body!r}")
        return f"wss://handed.out.invalid/endpoint?token={said['token']}&connectId={said['number']}"


class AskedServer(TinyServer):
    """Hands out addresses and lets nobody in who has none, or one that was used."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, bytes, Mapping[str, str]]] = []
        self.handed = 0
        self.reply: Any = None
        self.used: set[str] = set()
        self.rest = self._bullet

    async def _bullet(self, request: web.Request) -> web.StreamResponse | None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((request.method, request.path, await request.read(), headers))
        if request.path != "/bullet":
            return None
        if self.reply is not None:
            return web.json_response(self.reply)
        self.handed += 1
        return web.json_response({"token": TOKEN, "number": self.handed})

    def _handshake(self, connection: Any, request: Any) -> Any:
        refused = super()._handshake(connection, request)
        fresh = f"token={TOKEN}" in request.path and request.path not in self.used
        self.used.add(request.path)
        if refused is None and not fresh:
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "")
        return refused


@pytest.fixture
async def server() -> AsyncIterator[AskedServer]:
    made = AskedServer()
    await made.open()
    yield made
    await made.close()


def carrying(hub: Any, sockets: int) -> Any:
    return lambda: len(hub.sessions) == sockets and all(session.carrying for session in hub.sessions.values())


async def test_a_body_makes_it_a_post_of_json_and_it_is_recorded_with_the_request(server: AskedServer) -> None:
    body = '{"type":"l2Book","coin":"BTC"}'
    posted = RestRequest("snapshot", "http://tiny.invalid/info", 2, "AAA", body=body)
    plain = RestRequest("deep", "http://tiny.invalid/depth?limit=5", 2, "AAA")
    async with running(server, "AAA") as (hub, runner):
        await hub.until(lambda: hub.of(Connected) or server.handshakes)
        runner.execute([Fetch("tiny", posted), Fetch("tiny", plain)])
        await hub.until(lambda: len(hub.of(RestReplied)) == 2)
        replies = {reply.request.purpose: reply for reply in hub.of(RestReplied)}
    sent = {path: (method, data, headers) for method, path, data, headers in server.asked}
    assert sent["/info"][:2] == ("POST", body.encode())
    assert sent["/info"][2]["content-type"] == "application/json"
    assert sent["/depth"][:2] == ("GET", b"")
    assert "content-type" not in sent["/depth"][2]
    assert replies["snapshot"].request == posted
    assert orjson.loads(encode(replies["snapshot"])[1])["request"]["body"] == body
    assert "body" not in orjson.loads(encode(replies["deep"])[1])["request"]


async def test_the_venues_headers_go_with_every_request_and_handshake(server: AskedServer) -> None:
    async with running(server, "AAA", venue=AskingVenue()) as (hub, _):
        await hub.until(carrying(hub, 1))
    assert {path for _, path, _, _ in server.asked} == {"/instruments", "/bullet"}
    for headers in (*(headers for _, _, _, headers in server.asked), *server.handshake_headers):
        assert (headers["x-size-form"], headers["user-agent"]) == ("decimal", "undertow")


async def test_every_connect_asks_for_an_address_of_its_own(server: AskedServer) -> None:
    async with running(server, "AAA", "BBB", "CCC", venue=AskingVenue()) as (hub, runner):
        await hub.until(carrying(hub, 3))
        assert server.handed == 3
        runner.execute([OpenSuccessor("tiny", 0, "lifetime")])
        await hub.until(lambda: 3 in hub.sessions and 0 not in hub.sessions)
        server.drop_all()
        await hub.until(lambda: len(hub.disconnects()) == 4)
        await hub.until(carrying(hub, 3))
        weight = runner.rest_weight_used_ratio("tiny")
    assert server.handed == server.handshakes == len(set(server.handshake_paths)) == 7
    assert all(path.startswith("/endpoint?token=") for path in server.handshake_paths)  # on our own origin
    assert weight == pytest.approx((7 * 10 + 2) / 1000)
    assert [(method, data) for method, path, data, _ in server.asked if path == "/bullet"] == [("POST", b"{}")] * 7


async def test_the_secret_is_neither_logged_nor_recorded(server: AskedServer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with running(server, "AAA", venue=AskingVenue()) as (hub, _):
            await hub.until(carrying(hub, 1))
            server.handshake_status = (500, {})
            server.drop_all()
            await hub.until(lambda: len(hub.disconnects()) == 1)
            await hub.until(lambda: server.handshakes >= 3)
            server.handshake_status = None
            await hub.until(carrying(hub, 1))
    assert [entry["event"] for entry in logs].count("connect_failed") == 1
    assert TOKEN not in repr(logs)
    assert TOKEN not in repr(hub.events)


@pytest.mark.parametrize("reply", [{"code": 1, "secret": TOKEN}, {"token": TOKEN}, [TOKEN]])
async def test_a_reply_without_an_address_backs_off_like_a_failed_connect(server: AskedServer, reply: Any) -> None:
    server.reply = reply
    with structlog.testing.capture_logs() as logs:
        async with running(server, "AAA", venue=AskingVenue()) as (hub, _):
            await hub.until(lambda: sum(path == "/bullet" for _, path in server.requests) >= 3)
            times = [at for at, path in server.requests if path == "/bullet"]
            assert server.handshakes == 0
            server.reply = None
            await hub.until(carrying(hub, 1))
    assert all(later - earlier > 0.09 for earlier, later in pairwise(times))
    (failed,) = [entry for entry in logs if entry["event"] == "connect_failed"]  # said once
    assert "address" in failed["error"]
    assert TOKEN not in repr(logs)


@pytest.mark.parametrize("address", ["nonsense with spaces", "http://h/x", "ws://[half/x"])
async def test_an_address_that_is_none_is_a_failed_connect_without_its_text(address: str) -> None:
    class Wrong(AskingVenue):
        def address(self, plan: ConnectionPlan, body: bytes) -> str:
            return f"{address}?token={TOKEN}"

    server = AskedServer()
    await server.open()
    try:
        with structlog.testing.capture_logs() as logs:
            async with running(server, "AAA", venue=Wrong(), ws_origin=None) as (hub, _):
                await hub.until(lambda: any(entry["event"] == "connect_failed" for entry in logs), 5)
        assert TOKEN not in repr(logs)
        assert not any(entry["event"] == "feed_task_died" for entry in logs)
    finally:
        await server.close()


def test_addresses_go_before_everything_else() -> None:
    assert PRIORITY[0] == "address"
    budget = RestBudget(TinyVenue().limits, 0.3, 3)
    order = ["history", "deep", "poll", "snapshot", "instruments", "address"]
    for purpose in order:
        budget.submit(RestRequest(purpose, "http://x/", 1, key=purpose), 0)  # type: ignore[arg-type]
    taken = []
    while (request := budget.take(0)) is not None:
        taken.append(request.purpose)
        budget.succeeded(request)
    assert taken == ["address", "instruments", "snapshot", "poll", "deep", "history"]


def test_deep_snapshots_without_an_end_do_not_starve_the_past() -> None:
    budget, taken = RestBudget(TinyVenue().limits, 0.3, 3), []
    for market in ("A", "B"):
        budget.submit(RestRequest("history", "http://x/", 1, market), 0)
    for number in range(12):
        budget.submit(RestRequest("deep", "http://x/", 1, f"M{number}"), 0)
        request = budget.take(number * 60 * SECOND)
        assert request is not None
        taken.append(request.purpose)
        budget.succeeded(request)
    assert [place for place, purpose in enumerate(taken) if purpose == "history"] == [4, 9]
