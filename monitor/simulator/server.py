"""One simulated venue's port: WebSocket and REST side by side, frames encoded once and fanned out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from aiohttp import WSMsgType, web

from monitor.facts import Channel
from monitor.simulator.connection import Connection, wire_frame
from monitor.simulator.http_forms import posted, response
from monitor.simulator.misbehaviour import FRAME_KINDS, HTTP_KINDS, Fault, Faults, Sent
from monitor.simulator.protocols.base import Answer, Front, Treatment
from monitor.simulator.source import FrameSource, OutFrame, RestReply

SECOND = 1_000_000_000
MAX_CLIENT_MESSAGE = 1 << 20
MAX_POST = 1 << 20
HTML = RestReply(200, b"<!DOCTYPE html><html><body>Under maintenance</body></html>", content_type="text/html")


class VenueServer:
    """Serves one venue from a source. `publish` is called by whoever drives the source."""

    def __init__(
        self,
        front: Callable[[Callable[[str], bool], Callable[[str], Treatment]], Front],
        source: FrameSource,
        faults: Faults,
        now: Callable[[], int],
    ) -> None:
        self.front = front(self._knows, self._treat)
        self.venue = self.front.venue
        self._source, self._faults, self._now = source, faults, now
        self.connections: dict[int, Connection] = {}
        self._listeners: dict[str, dict[int, Connection]] = {}
        self._described: dict[str, tuple[Channel, str]] = {}
        self._stale: dict[str, RestReply | list[bytes]] = {}
        self._numbers = 0
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.frames_sent = 0
        faults.on_inject.append(self._strike)
        faults.on_end.append(self._relent)

    # -- life
    async def start(self, host: str, port: int = 0) -> int:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = cast("tuple[str, int]", self._runner.addresses[0])[1]
        return self.port

    async def stop(self) -> None:
        for connection in list(self.connections.values()):
            connection.abort()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def down(self) -> bool:
        return self.venue in self._source.outages or self._faults.find(("outage",), self.venue, None, "") is not None

    # -- frames out
    def publish(self, frame: OutFrame) -> None:
        listeners = self._listeners.get(frame.key)
        if not listeners:
            return
        if self._faults.standing:
            channel, market = self._describe(frame.key)
            fault = self._faults.find(FRAME_KINDS, self.venue, channel, market)
            if fault is not None:
                self._misrepresent(fault, frame, listeners)
                return
        self._fan_out(frame, listeners)

    def _fan_out(self, frame: OutFrame, listeners: dict[int, Connection]) -> None:
        """Written once for all sockets of one kind, unless frames are numbered through."""
        front, now = self.front, self._now()
        made: dict[str, bytes] = {}
        for connection in listeners.values():
            session = connection.session
            kind = front.envelope_kind(session)
            framed = None if front.numbers else made.get(kind)
            if framed is None:
                data = front.envelope(session, frame.key, frame.data)
                if front.numbers:
                    data = front.number(session, data)
                framed = made[kind] = wire_frame(data, front.encoding(session))
            connection.send(framed)
            session.last_active = now
        self.frames_sent += 1

    def _misrepresent(self, fault: Fault, frame: OutFrame, listeners: dict[int, Connection]) -> None:
        """A frame under a fault. What is lost on the way has its number all the same; what was never sent has none."""
        if fault.kind == "silence":
            fault.used += 1
            return
        sent: Sent = {}
        for number, connection in listeners.items():
            data = self.front.envelope(connection.session, frame.key, frame.data)
            sent[number] = self.front.number(connection.session, data) if self.front.numbers else data
        for part in self._faults.frames(fault, frame.key, sent):
            for number, data in part.items():
                target = self.connections.get(number)
                if target is not None:
                    target.send(wire_frame(data, self.front.encoding(target.session)))
                    target.session.last_active = self._now()
            self.frames_sent += 1

    def _say(self, connection: Connection, data: bytes) -> None:
        """A frame for one socket: acknowledgements, openings, notices."""
        session = connection.session
        if self.front.numbers:
            data = self.front.number(session, data)
        connection.send(wire_frame(data, self.front.encoding(session)))

    def housekeeping(self, seconds: float) -> None:
        """What the venue says by itself; idle sockets are closed, slow ones drip, an outage cuts all."""
        now = self._now()
        down, idle = self.down, self.front.idle_close_seconds
        for connection in list(self.connections.values()):
            connection.drip(seconds)
            if down or (idle is not None and now - connection.session.last_active > idle * SECOND):
                connection.abort()
                continue
            answer = self.front.tick(connection.session, now)
            if answer is not None:
                self._carry_out(connection, answer)

    async def ping(self) -> None:
        for connection in list(self.connections.values()):
            if connection.alive:
                await connection.socket.ping()

    # -- requests in
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.Response(status=503, text="Service Unavailable")
        query = dict(request.query)
        for name in self.front.reads_headers:
            if name in request.headers:
                query[name] = request.headers[name]
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request, query)
        if request.method == "POST":
            query |= posted(await request.content.read(MAX_POST))
        return response(self.rest(request.path, query))

    def rest(self, path: str, query: dict[str, str]) -> RestReply:
        """The reply to a GET, or to a POST whose members are merged into the query; limits and faults included."""
        front = self.front
        symbol = front.symbol_of(path, query)
        if self._faults.standing:
            reply = self._misbehaved(path, symbol)
            if reply is not None:
                return reply
        refused = front.limit(path, query, self._now())
        return front.dress(refused or self._source.rest(self.venue, path, query) or front.not_found(path))

    def _misbehaved(self, path: str, symbol: str) -> RestReply | None:
        channel = Channel.BOOK if path in self.front.snapshot_paths else None
        fault = self._faults.find(HTTP_KINDS, self.venue, channel, symbol)
        if fault is not None:
            self._faults.spend(fault)
            if fault.kind == "html":
                return HTML
            status = int(fault.kind.removeprefix("http_"))
            return self.front.dress(self.front.rest_error(status, fault.options.get("retry_after")))
        fault = self._faults.find(("stale_snapshot",), self.venue, channel, symbol)
        stale = None if fault is None else self._stale.get(f"{fault.number}:{symbol}")
        if fault is None or channel is None or not isinstance(stale, RestReply):
            return None
        self._faults.spend(fault)
        return self.front.dress(stale)

    async def _websocket(self, request: web.Request, query: dict[str, str]) -> web.StreamResponse:
        self._numbers += 1
        session = self.front.open(request.path, query, self._numbers, self._now())
        if session is None:
            return web.Response(status=404, text="Not Found")
        if isinstance(session, RestReply):
            return response(session)
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_CLIENT_MESSAGE)
        await socket.prepare(request)
        connection = Connection(session, socket, cast("asyncio.Transport", request.transport))
        self._throttle(connection)
        self.connections[session.number] = connection
        try:
            for text in self.front.welcome(session):
                self._say(connection, text.encode())
            self._join(connection, list(session.topics))
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._carry_out(connection, self.front.receive(session, message.data, self._now()))
                elif message.type is WSMsgType.ERROR:
                    break
        finally:
            self.connections.pop(session.number, None)
            for listeners in self._listeners.values():
                listeners.pop(session.number, None)
        return socket

    def _carry_out(self, connection: Connection, answer: Answer) -> None:
        for reply in answer.texts:
            self._say(connection, reply.encode())
        for key in answer.unsubscribed:
            self._listeners.get(key, {}).pop(connection.session.number, None)
        self._join(connection, answer.subscribed)
        if answer.close is not None:
            connection.close(*answer.close)

    def _join(self, connection: Connection, keys: list[str]) -> None:
        session = connection.session
        for key in keys:
            if not self.front.served(session, key):
                continue
            for data in self._opening(key):
                self._say(connection, self.front.envelope(session, key, data))
            self._listeners.setdefault(key, {})[session.number] = connection
            self._source.started_by(self.venue, key)

    def _opening(self, key: str) -> list[bytes]:
        channel, market = self._describe(key)
        frames = self._source.opening(self.venue, key)
        if not frames or not self._faults.standing:
            return frames
        if self._faults.find(("silence",), self.venue, channel, market) is not None:
            return []
        fault = self._faults.find(("stale_snapshot",), self.venue, channel, market)
        stale = None if fault is None else self._stale.get(f"{fault.number}:{key}")
        if fault is not None and isinstance(stale, list):
            self._faults.spend(fault)
            return stale
        return frames

    # -- faults
    def _knows(self, key: str) -> bool:
        return self._source.knows(self.venue, key)

    def _treat(self, key: str) -> Treatment:
        return self._faults.treatment(self.venue, *self._describe(key))

    def _describe(self, key: str) -> tuple[Channel, str]:
        found = self._described.get(key)
        if found is None:
            found = self.front.describe(key)
            if self._knows(key):  # bounded by the topics there are
                self._described[key] = found
        return found

    def _throttle(self, connection: Connection) -> None:
        fault = self._faults.find(("slow_drip",), self.venue, None, "")
        connection.drip_rate = None if fault is None else fault.options["bytes_per_second"]

    def _strike(self, fault: Fault) -> None:
        if fault.venue not in (None, self.venue):
            return
        match fault.kind:
            case "disconnect" | "outage":
                for connection in list(self.connections.values()):
                    connection.abort()
            case "slow_drip":
                for connection in self.connections.values():
                    self._throttle(connection)
            case "shutdown_notice":
                for connection in self.connections.values():
                    notice = self.front.shutdown_notice(connection.session)
                    if notice is not None:
                        self._say(connection, notice.encode())
            case "stale_snapshot":
                self._keep_snapshots(fault)

    def _relent(self, fault: Fault) -> None:
        if fault.kind == "slow_drip":
            for connection in self.connections.values():
                self._throttle(connection)
        if fault.kind == "stale_snapshot":
            for name in [name for name in self._stale if name.startswith(f"{fault.number}:")]:
                del self._stale[name]

    def _keep_snapshots(self, fault: Fault) -> None:
        """The books as they stand at the moment of the command: over REST by symbol, on the stream by topic."""
        for key in list(self._described):
            channel, market = self._describe(key)
            if channel is not Channel.BOOK or not fault.strikes(
                self.venue, None if fault.channel is None else channel, market
            ):
                continue
            self._stale[f"{fault.number}:{key}"] = self._source.opening(self.venue, key)
            seed = self.front.seed_request(market)
            reply = None if seed is None else self._source.rest(self.venue, *seed)
            if reply is not None:
                self._stale[f"{fault.number}:{market}"] = reply
