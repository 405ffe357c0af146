"""One WebSocket behind a small interface: frames out as bytes in the step they arrive, text in, an end with a named reason.

`websockets` parses; its message queue is passed by, so that nothing stands between the socket and the book and a burst is
worked off in the read that brought it. TCP is the back-pressure: while a frame is worked on, nothing is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI, PayloadTooBig
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import OPEN, Event

from monitor.errors import RetryLater, VenueError, VenueStopped
from monitor.feed.inflate import inflate
from monitor.feed.reasons import HALT_STATUS, Reason
from monitor.feed.rest import HALT_SECONDS, retry_after

MAX_FRAGMENTS = 4096  # of one message; venues send one
EARLY_FRAMES = 4096  # between the handshake and `listen`: one loop step, yet bounded
WRITE_BUFFER_BYTES = 256 << 10  # we write subscriptions and pings; this much unread means a stalled peer
KEEPALIVE_IDLE_SECONDS, KEEPALIVE_INTERVAL_SECONDS, KEEPALIVE_PROBES = 30, 10, 3  # a dead path is found without data

OnFrame = Callable[[bytes], None]

_log = logging.getLogger("monitor.feed.transport")
_log.addHandler(logging.NullHandler())
_log.setLevel(logging.CRITICAL)  # at debug level the library would format every frame
_log.propagate = False  # the end of a connection is told once, by the runner, with its reason


class FrameSocket(Protocol):
    """What the runner needs of a socket. Another transport may stand in."""

    ended: asyncio.Future[Reason]  # done as soon as no frame will come any more
    failure: BaseException | None  # what the frame callback raised, when that was the end

    def listen(self, on_frame: OnFrame) -> None:
        """Hands over every frame from now on, those that came early first."""

    def write(self, text: str) -> None:
        """Writes without waiting; does nothing once the socket has ended."""

    def end(self, reason: Reason) -> None:
        """No frame is handed over after this; `aclose` says good-bye."""

    async def aclose(self) -> None:
        """Closing handshake, bounded; then the connection is cut."""


class PushConnection(ClientConnection):
    """A client connection that pushes each message to a callback. Set up by `open_socket`."""

    ended: asyncio.Future[Reason]
    failure: BaseException | None = None
    close_seconds: float = 1.0
    inflated_bytes: int | None = (
        None  # every frame is a gzip member of at most so many bytes; None: frames are as they come
    )
    _on_frame: OnFrame | None = None
    _fragments: list[bytes] | None = None
    _early: list[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.ended = self.loop.create_future()
        self._early = []
        _keep_alive(transport)

    def process_event(self, event: Event) -> None:
        if self.response is None or not isinstance(event, Frame):
            super().process_event(event)
            return
        opcode = event.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            if event.fin:
                self._deliver(bytes(event.data))
            else:
                self._fragments = [bytes(event.data)]
        elif opcode is Opcode.CONT:
            self._join(event)
        else:
            super().process_event(event)

    def _join(self, event: Frame) -> None:
        fragments = self._fragments
        if fragments is None:
            return
        fragments.append(bytes(event.data))
        if event.fin:
            self._fragments = None
            self._deliver(b"".join(fragments))
        elif len(fragments) > MAX_FRAGMENTS:
            self._fragments = None
            self.end(Reason.FRAME_TOO_BIG)

    def _deliver(self, data: bytes) -> None:
        if self.ended.done():
            return
        if self._on_frame is None:
            self._keep(data)
            return
        if self.inflated_bytes is not None:
            content = inflate(data, self.inflated_bytes)
            if isinstance(content, Reason):
                self.end(content)  # it is counted as the end of a connection is, by its reason
                return
            data = content
        try:
            self._on_frame(data)
        except Exception as failure:
            self.failure = failure
            self.end(Reason.INTERNAL_ERROR)

    def _keep(self, data: bytes) -> None:
        """As it came: what is to be done with a frame is known once somebody listens."""
        if self._early is not None:
            self._early.append(data)
            if len(self._early) > EARLY_FRAMES:
                self.end(Reason.INTERNAL_ERROR)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.protocol.state is not OPEN and self.response is not None:
            self.end(self._reason())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.end(self._reason())

    def _reason(self) -> Reason:
        protocol = self.protocol
        if isinstance(protocol.parser_exc, PayloadTooBig):
            return Reason.FRAME_TOO_BIG
        if protocol.close_rcvd is not None:
            return Reason.CLOSED_BY_VENUE
        sent = protocol.close_sent
        if sent is None or sent.code == CloseCode.ABNORMAL_CLOSURE:
            return Reason.CONNECTION_LOST
        if sent.code == CloseCode.INTERNAL_ERROR and "ping" in sent.reason:
            return Reason.PING_LOST
        return Reason.PROTOCOL_ERROR

    # -- FrameSocket
    def listen(self, on_frame: OnFrame) -> None:
        early, self._early = self._early or [], None
        self._on_frame = on_frame
        for data in early:
            self._deliver(data)

    def write(self, text: str) -> None:
        if self.protocol.state is not OPEN or self.ended.done():
            return
        self.protocol.send_text(text.encode())
        self.send_data()
        if self.transport.get_write_buffer_size() > WRITE_BUFFER_BYTES:
            self.end(Reason.SEND_STALLED)

    def end(self, reason: Reason) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    async def aclose(self) -> None:
        self.end(Reason.ASKED)
        try:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(self.close_seconds):
                    await self.close()
        finally:
            self.transport.abort()


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    raw = transport.get_extra_info("socket")
    if raw is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)


async def open_socket(
    url: str,
    *,
    max_frame_bytes: int,
    open_seconds: float,
    close_seconds: float,
    protocol_ping: tuple[float, float] | None = None,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
    gzip: bool = False,
) -> FrameSocket:
    """Connects. `protocol_ping`: (interval, pong timeout) in seconds of our own WebSocket pings, None for none; theirs are always answered.

    gzip: every frame is a gzip member; `max_frame_bytes` then bounds it inflated too. No error names more of `url` than its host:
    the query of an address may be a secret.

    Raises:
        VenueStopped: the handshake was answered with 403, 418 or 451. RetryLater: with 429 or 503.
        VenueError: anything else that kept the socket from opening.
    """
    interval, timeout = protocol_ping or (None, None)
    tls: dict[str, Any] = {"ssl": ssl_context} if ssl_context is not None and url.startswith("wss:") else {}
    try:
        opened = await connect(
            url,
            additional_headers=headers,
            proxy=proxy,
            compression=None,
            max_size=max_frame_bytes,
            open_timeout=open_seconds,
            ping_interval=interval,
            ping_timeout=timeout,
            close_timeout=close_seconds,
            create_connection=PushConnection,
            logger=_log,
            **tls,
        )
    except InvalidStatus as refused:
        raise _refusal(refused.response) from refused
    except TimeoutError:
        raise VenueError(f"no handshake within {open_seconds:g} s") from None
    except InvalidURI:
        raise VenueError("the socket's address is none") from None  # the error holds it, and it may be a secret
    except (InvalidHandshake, OSError, EOFError, ValueError) as error:
        raise VenueError(_told(error, url)) from error
    if not isinstance(opened, PushConnection):
        raise TypeError("websockets made another kind of connection")
    opened.close_seconds = close_seconds
    opened.inflated_bytes = max_frame_bytes if gzip else None
    return opened


def _told(error: Exception, url: str) -> str:
    """The error in one line, without the address beyond its host."""
    text = f"{type(error).__name__}: {error}"
    query = url.partition("?")[2]
    return (text.replace(query, "...") if query else text)[:200]


def _refusal(response: Response) -> VenueError:
    status = response.status_code
    headers = {name.lower(): value for name, value in response.headers.raw_items()}
    stated = retry_after(headers)
    if status in HALT_STATUS:
        return VenueStopped(f"HTTP {status} at the handshake", HALT_SECONDS[status] if stated is None else stated)
    if status in (429, 503):
        return RetryLater(f"HTTP {status} at the handshake", stated or 0.0)
    return VenueError(f"HTTP {status} at the handshake")
