"""Venues whose every frame is a gzip member: what inflates is JSON to everybody, what does not ends the connection by name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from feed_fakes import TinyVenue, ack, data
from feed_servers import TinyServer, running
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection

from monitor.feed.inflate import inflate
from monitor.feed.reasons import Reason
from monitor.venues.base import ConnectionPlan

FRAME = data("book.AAA", "inflated")


class GzipVenue(TinyVenue):
    def connections(self, instruments: Any) -> list[ConnectionPlan]:
        return [replace(plan, encoding="gzip") for plan in super().connections(instruments)]


class GzipServer(TinyServer):
    async def say(self, socket: ServerConnection, text: bytes | str) -> None:
        await socket.send(gzip.compress(text if isinstance(text, bytes) else text.encode()))


@pytest.fixture
async def server() -> AsyncIterator[GzipServer]:
    made = GzipServer()
    await made.open()
    yield made
    await made.close()


@given(st.binary(max_size=5000), st.integers(1, 5000), st.integers(0, 9))
@example(b"", 1, 9)
@example(b"x" * 100, 100, 9)
@example(b"x" * 101, 100, 9)
def test_a_member_comes_back_whole_or_not_at_all(content: bytes, most: int, level: int) -> None:
    member = gzip.compress(content, level, mtime=0)
    assert inflate(member, most) == (content if len(content) <= most else Reason.FRAME_TOO_BIG)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_damage_is_told_and_never_passed_on(content: bytes, draw: st.DataObject) -> None:
    member = gzip.compress(content, mtime=0)
    cut = draw.draw(st.integers(0, len(member) - 1))
    assert inflate(member[:cut], 1000) is Reason.FRAME_DAMAGED
    assert inflate(member + draw.draw(st.binary(min_size=1, max_size=40)), 1000) is Reason.FRAME_DAMAGED
    bit = draw.draw(st.integers(10 * 8, len(member) * 8 - 1))  # behind the header, of which some bits say nothing
    flipped = bytearray(member)
    flipped[bit // 8] ^= 1 << bit % 8
    # A few bits between the last block and the checksum pad a byte and say nothing; the content is then what it was.
    assert inflate(bytes(flipped), 1000) in (Reason.FRAME_DAMAGED, Reason.FRAME_TOO_BIG, content)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(frame: bytes) -> None:
    assert inflate(frame, 100) is Reason.FRAME_DAMAGED


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000), mtime=0)
    assert inflate(bomb, 1 << 20) is Reason.FRAME_TOO_BIG


def test_a_bare_zlib_stream_is_no_member() -> None:
    assert inflate(zlib.compress(b"{}"), 100) is Reason.FRAME_DAMAGED


async def test_session_and_sink_see_json_and_answers_stay_text(server: GzipServer) -> None:
    async def greet(socket: ServerConnection) -> None:
        await server.say(socket, data("book.AAA", "early"))  # may come in the read that ends the handshake

    server.on_connect = greet
    async with running(server, "AAA", venue=GzipVenue()) as (hub, _):
        await hub.until(lambda: hub.sessions and hub.sessions[0].carrying)
        member = gzip.compress(FRAME)
        await server.sockets[0].send([member[:7], member[7:20], member[20:]])  # in pieces
        await hub.until(lambda: (0, FRAME) in hub.frames)
        assert hub.frames[0] == (0, data("book.AAA", "early"))
        assert (0, ack(1)) in hub.frames
        assert all(frame.startswith(b"{") for _, frame in hub.frames)
        assert server.operations[0]["topics"] == ["book.AAA"]  # what we send is not compressed


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (gzip.compress(FRAME)[:-5], "frame_damaged"),
        (gzip.compress(FRAME) + gzip.compress(FRAME), "frame_damaged"),
        (FRAME, "frame_damaged"),
        (FRAME.decode(), "frame_damaged"),
        (gzip.compress(b"x" * 5000), "frame_too_big"),
    ],
)
async def test_what_does_not_inflate_ends_the_connection_by_name(
    server: GzipServer, frame: bytes | str, reason: str
) -> None:
    async with running(server, "AAA", venue=GzipVenue()) as (hub, _):
        await hub.until(lambda: hub.sessions and hub.sessions[0].carrying)
        before = len(hub.frames)
        await server.sockets[0].send(frame)
        await server.say(server.sockets[0], FRAME)  # nothing comes after it
        await hub.until(lambda: hub.disconnects() == [reason])
        assert len(hub.frames) == before
        await hub.until(lambda: hub.sessions and hub.sessions[0].carrying)
