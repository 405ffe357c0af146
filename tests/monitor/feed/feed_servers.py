"""Real servers on free loopback ports that speak the tiny venue's protocol, and misbehave when told."""

from __future__ import annotations

import asyncio
import contextlib
import http
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
from aiohttp import web
from feed_fakes import SmallHub, TinyVenue, ack, data, refusal
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from monitor.clock import Clock
from monitor.feed.options import VenueOptions
from monitor.feed.runner import FeedRunner


class TinyServer:
    """WebSocket and REST side of the tiny venue."""

    def __init__(self) -> None:
        self.sockets: list[ServerConnection] = []
        self.connects: list[float] = []
        self.handshakes = 0
        self.operations: list[dict[str, Any]] = []
        self.requests: list[tuple[float, str]] = []
        self.handshake_paths: list[str] = []
        self.handshake_headers: list[Headers] = []
        self.listed = ["AAA", "BBB", "CCC", "DDD"]
        self.pages = 2
        self.refuse: set[str] = set()
        self.speak = True  # data follows an ack
        self.handshake_status: tuple[int, dict[str, str]] | None = None
        self.on_connect: Callable[[ServerConnection], Any] | None = None
        self.rest: Callable[[web.Request], Any] | None = None
        self.ws_origin = self.rest_origin = ""
        self._server: Server | None = None

    async def open(self) -> None:
        self._server = await serve(
            self._talk, "127.0.0.1", 0, process_request=self._handshake, compression=None, ping_interval=None
        )
        self.ws_origin = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.rest_origin = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for socket in self.sockets:
            socket.transport.abort()
        await self._server.wait_closed()
        await self._runner.cleanup()

    def options(self, *symbols: str, **more: Any) -> VenueOptions:
        more.setdefault("ws_origin", self.ws_origin)
        more.setdefault("rest_origin", self.rest_origin)
        return VenueOptions(symbols or tuple(self.listed), **more)

    def drop_all(self) -> None:
        for socket in self.sockets:
            socket.transport.abort()

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        self.handshakes += 1
        self.handshake_paths.append(request.path)
        self.handshake_headers.append(request.headers)
        if self.handshake_status is None:
            return None
        status, headers = self.handshake_status
        phrase = http.HTTPStatus(status).phrase
        return Response(status, phrase, Headers({**headers, "Content-Length": "0"}), b"")

    async def _talk(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        self.connects.append(time.monotonic())
        try:
            if self.on_connect is not None:
                await self.on_connect(socket)
            async for text in socket:
                await self._hear(socket, text)
        except ConnectionClosed:
            pass
        finally:
            self.sockets.remove(socket)

    async def say(self, socket: ServerConnection, text: bytes | str) -> None:
        """Sends a frame in the venue's encoding."""
        await socket.send(text if isinstance(text, str) else text.decode())

    async def _hear(self, socket: ServerConnection, text: str | bytes) -> None:
        if text == "ping":
            await self.say(socket, "pong")
            return
        message = orjson.loads(text)
        self.operations.append(message)
        refused = [key for key in message["topics"] if key in self.refuse]
        if refused:
            await self.say(socket, refusal(message["id"], "no such topic", *refused, whole=True))
            return
        await self.say(socket, ack(message["id"]))
        if message["op"] == "sub" and self.speak:
            for key in message["topics"]:
                await self.say(socket, data(key))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((time.monotonic(), request.path_qs))
        if self.rest is not None:
            made = await self.rest(request)
            if made is not None:
                return made
        if request.path == "/instruments":
            page = int(request.query["page"])
            size = -(-len(self.listed) // self.pages)
            body: dict[str, Any] = {"symbols": self.listed[(page - 1) * size : page * size]}
            if page < self.pages:
                body["next"] = f"/instruments?page={page + 1}"
            return web.json_response(body)
        return web.json_response({"path": request.path}, headers={"X-Used": "123"})


@contextlib.asynccontextmanager
async def running(
    server: TinyServer, *symbols: str, venue: TinyVenue | None = None, hub: SmallHub | None = None, **options: Any
) -> AsyncIterator[tuple[SmallHub, FeedRunner]]:
    """A feed runner against `server`; stopped at the end, which must take less than two seconds."""
    venue = venue or TinyVenue()
    hub = hub or SmallHub(venue)
    runner = FeedRunner([(venue, server.options(*symbols, **options))], hub, Clock(), seed=5)
    task = asyncio.create_task(runner.run())
    try:
        yield hub, runner
    finally:
        runner.stop()
        started = time.monotonic()
        await asyncio.wait_for(task, 5)
        assert time.monotonic() - started < 2.0
        assert not hub.sessions
        assert runner.sink_errors == 0
