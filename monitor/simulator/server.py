"""One simulated venue's port: WebSocket and REST side by side, frames encoded once and fanned out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from aiohttp import WSMsgType, web

from monitor.facts import Channel
from monitor.simulator.misbehaviour import HTTP_KINDS, RAW, Fault, Faults
from monitor.simulator.protocols.base import Front, Session, Treatment
from monitor.simulator.protocols.okx_swap import OkxFront
from monitor.simulator.source import FrameSource, OutFrame, RestReply

SECOND = 1_000_000_000
MAX_UNSENT = 32 << 20  # bytes waiting for a slow reader; venues cut such a connection, so does this one
MAX_CLIENT_MESSAGE = 1 << 20
HOUSEKEEPING_SECONDS = 0.25
SNAPSHOT_PATHS = ("/fapi/v1/depth", "/v5/market/orderbook", "/api/v5/market/books", "/api/v5/market/books-full")
HTML = RestReply(200, b"<!DOCTYPE html><html><body>Under maintenance</body></html>", content_type="text/html")


def text_frame(payload: bytes) -> bytes:
    """A whole WebSocket text frame from the server: final, not masked (RFC 6455 5.2)."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + payload
    return b"\x81\x7f" + length.to_bytes(8, "big") + payload


class Connection:
    """One client's socket. Frames are written to the transport as they are: no per-client encoding, no await."""

    def __init__(self, session: Session, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.session, self.socket, self._transport = session, socket, transport
        self._dripping: deque[bytes] = deque()
        self.drip_rate: int | None = None

    @property
    def alive(self) -> bool:
        return not self._transport.is_closing()

    def send(self, frame: bytes) -> None:
        if self.drip_rate is not None or self._dripping:
            self._dripping.append(frame)
        elif not self._transport.is_closing():
            self._transport.write(frame)
            if self._transport.get_write_buffer_size() > MAX_UNSENT:
                self.abort()

    def drip(self, seconds: float) -> None:
        """Let the allowance of these seconds through, in the middle of a frame if it so falls; all of it when the fault is over."""
        left = sum(map(len, self._dripping)) if self.drip_rate is None else max(1, int(self.drip_rate * seconds))
        while self._dripping and left > 0 and self.alive:
            frame = self._dripping.popleft()
            self._transport.write(frame[:left])
            if len(frame) > left:
                self._dripping.appendleft(frame[left:])
            left -= len(frame)
        if sum(map(len, self._dripping)) > MAX_UNSENT:
            self.abort()

    def abort(self) -> None:
        """Cut without a closing handshake, as a dying venue does."""
        self._transport.abort()


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
        channel, market = self._describe(frame.key)
        parts = (
            self._faults.frames(self.venue, frame.key, channel, market, frame.data)
            if self._faults.standing
            else (frame.data,)
        )
        for part in parts:
            self._fan_out(frame.key, part, listeners)

    def _fan_out(self, key: str, data: bytes, listeners: dict[int, Connection]) -> None:
        made: dict[str, bytes] = {}
        for connection in listeners.values():
            kind = self.front.envelope_kind(connection.session)
            framed = made.get(kind)
            if framed is None:
                raw = data.startswith(RAW)
                framed = text_frame(data[1:] if raw else self.front.envelope(connection.session, key, data))
                made[kind] = framed
            connection.send(framed)
            connection.session.last_active = self._now()
        self.frames_sent += 1

    def housekeeping(self, seconds: float) -> None:
        """Idle sockets are closed, slow ones drip, an outage cuts all."""
        now = self._now()
        down = self.down
        for connection in list(self.connections.values()):
            connection.drip(seconds)
            idle = self.front.idle_close_seconds
            if down or (idle is not None and now - connection.session.last_active > idle * SECOND):
                connection.abort()

    async def ping(self) -> None:
        for connection in list(self.connections.values()):
            if connection.alive:
                await connection.socket.ping()

    # -- requests in
    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.Response(status=503, text="Service Unavailable")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        reply = self.rest(request.path, dict(request.query))
        headers = {**reply.headers, "Content-Type": reply.content_type}
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    def rest(self, path: str, query: dict[str, str]) -> RestReply:
        """The reply to a GET, limits and faults included."""
        front = self.front
        symbol = query.get("symbol") or query.get("instId") or ""
        if self._faults.standing:
            reply = self._misbehaved(path, symbol)
            if reply is not None:
                return reply
        refused = front.limit(path, query, self._now())
        return front.dress(refused or self._source.rest(self.venue, path, query) or front.not_found(path))

    def _misbehaved(self, path: str, symbol: str) -> RestReply | None:
        channel = Channel.BOOK if path in SNAPSHOT_PATHS else None
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

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self._numbers += 1
        session = self.front.open(request.path, dict(request.query), self._numbers, self._now())
        if session is None:
            return web.Response(status=404, text="Not Found")
        socket = web.WebSocketResponse(compress=False, max_msg_size=MAX_CLIENT_MESSAGE)
        await socket.prepare(request)
        connection = Connection(session, socket, cast("asyncio.Transport", request.transport))
        self._throttle(connection)
        self.connections[session.number] = connection
        try:
            self._join(connection, list(session.topics))
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await self._receive(connection, message.data)
                elif message.type is WSMsgType.ERROR:
                    break
        finally:
            self.connections.pop(session.number, None)
            for listeners in self._listeners.values():
                listeners.pop(session.number, None)
        return socket

    async def _receive(self, connection: Connection, text: str) -> None:
        answer = self.front.receive(connection.session, text, self._now())
        for reply in answer.texts:
            connection.send(text_frame(reply.encode()))
        for key in answer.unsubscribed:
            self._listeners.get(key, {}).pop(connection.session.number, None)
        self._join(connection, answer.subscribed)
        if answer.close is not None:
            code, reason = answer.close
            await connection.socket.close(code=code, message=reason.encode())

    def _join(self, connection: Connection, keys: list[str]) -> None:
        session = connection.session
        for key in keys:
            # Binance acknowledges what it does not serve on this route, and stays silent.
            served = getattr(self.front, "served", None)
            if served is not None and not served(session, key):
                continue
            for data in self._opening(key):
                connection.send(text_frame(self.front.envelope(session, key, data)))
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
            case "shutdown_notice" if isinstance(self.front, OkxFront):
                for connection in self.connections.values():
                    connection.send(text_frame(self.front.notice(connection.session).encode()))
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
            if self.venue == "binance_usdm":
                reply = self._source.rest(self.venue, "/fapi/v1/depth", {"symbol": market, "limit": "1000"})
                if reply is not None:
                    self._stale[f"{fault.number}:{market}"] = reply
