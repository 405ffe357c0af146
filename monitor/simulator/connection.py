"""One client's socket at a simulated venue, and how bytes become WebSocket frames."""

from __future__ import annotations

import asyncio
import gzip
from collections import deque

from aiohttp import web

from monitor.simulator.protocols.base import Encoding, Session

MAX_UNSENT = 32 << 20  # bytes waiting for a slow reader; venues cut such a connection, so does this one
NO_GOODBYE = 1006  # never sent: what a client makes of an end without a close frame
TEXT, BINARY, CLOSE = 0x81, 0x82, 0x88  # final frames (RFC 6455 5.2)


def wire_frame(payload: bytes, encoding: Encoding = "text") -> bytes:
    """A whole WebSocket frame from the server: final, not masked."""
    if encoding == "gzip":
        payload = gzip.compress(payload, compresslevel=1, mtime=0)
    return frame(TEXT if encoding == "text" else BINARY, payload)


def frame(head: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes((head, length)) + payload
    if length < 65_536:
        return bytes((head, 0x7E)) + length.to_bytes(2, "big") + payload
    return bytes((head, 0x7F)) + length.to_bytes(8, "big") + payload


class Connection:
    """Frames are written to the transport as they are: no per-client encoding, no await."""

    def __init__(self, session: Session, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.session, self.socket, self._transport = session, socket, transport
        self._dripping: deque[bytes] = deque()
        self.drip_rate: int | None = None
        self.closing = False

    @property
    def alive(self) -> bool:
        return not self._transport.is_closing()

    def send(self, data: bytes) -> None:
        if self.drip_rate is not None or self._dripping:
            self._dripping.append(data)
        elif not self._transport.is_closing() and not self.closing:
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MAX_UNSENT:
                self.abort()

    def drip(self, seconds: float) -> None:
        """Let the allowance of these seconds through, in the middle of a frame if it so falls; all of it when the fault is over."""
        left = sum(map(len, self._dripping)) if self.drip_rate is None else max(1, int(self.drip_rate * seconds))
        while self._dripping and left > 0 and self.alive:
            part = self._dripping.popleft()
            self._transport.write(part[:left])
            if len(part) > left:
                self._dripping.appendleft(part[left:])
            left -= len(part)
        if sum(map(len, self._dripping)) > MAX_UNSENT:
            self.abort()

    def close(self, code: int, reason: str) -> None:
        """The venue says goodbye: a close frame (none with code 1006), and the end."""
        if code != NO_GOODBYE:
            self.send(frame(CLOSE, code.to_bytes(2, "big") + reason.encode()))
        self.closing = True
        self._transport.close()

    def abort(self) -> None:
        """Cut without a closing handshake, as a dying venue does."""
        self._transport.abort()
