"""The runner against real sockets and a real HTTP server on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web
from blockbuster import BlockBuster, blockbuster_ctx
from feed_fakes import SECOND, SmallHub, TinyVenue, data
from feed_servers import TinyServer, running
from websockets.asyncio.server import ServerConnection

from monitor.clock import Clock
from monitor.events import Connected, Disconnected, Fetch, InstrumentsListed, OpenSuccessor, RestReplied, VenueHalted
from monitor.feed.backoff import CONNECT_SPACING
from monitor.feed.runner import FeedRunner
from monitor.feed.subscription import Phase
from monitor.venues.base import Ping, RestRequest

SNAPSHOT = RestRequest("snapshot", "http://tiny.invalid/depth?symbol=AAA", 20, "AAA")


@pytest.fixture(autouse=True)
def no_blocking_call() -> Iterator[BlockBuster]:
    """A blocking call made inside the loop by our code fails the test."""
    with blockbuster_ctx("monitor") as blockbuster:
        yield blockbuster


@pytest.fixture
async def server() -> AsyncIterator[TinyServer]:
    made = TinyServer()
    await made.open()
    yield made
    await made.close()


def carrying(hub: SmallHub, sockets: int) -> Any:
    return lambda: len(hub.sessions) == sockets and all(session.carrying for session in hub.sessions.values())


async def test_from_listing_to_frames_to_a_clean_stop(server: TinyServer) -> None:
    async with running(server, "AAA", "BBB", "NOPE", "CCC") as (hub, runner):
        await hub.until(carrying(hub, 2))
        (listed,) = hub.of(InstrumentsListed)
        assert [instrument.symbol for instrument in listed.instruments] == ["AAA", "BBB", "CCC"]
        assert listed.refused == (("NOPE", "Tiny does not list it"),)
        assert [path for _, path in server.requests] == ["/instruments?page=1", "/instruments?page=2"]
        assert {event.connection for event in hub.of(Connected)} == {0, 1}
        assert runner.rest_weight_used_ratio("tiny") == pytest.approx(0.002)
        assert runner.rest_weight_used_ratio("other") is None
    assert hub.disconnects() == ["stopped", "stopped"]
    times = [event.at for event in hub.events]
    assert times == sorted(times)


async def test_all_sockets_cut_come_back_staggered(server: TinyServer) -> None:
    venue = TinyVenue()
    venue.per_connection = 1
    async with running(server, venue=venue) as (hub, _):
        await hub.until(carrying(hub, 4))
        first = list(server.connects)
        server.drop_all()
        await hub.until(lambda: len(hub.of(Disconnected)) == 4)
        cut = time.monotonic()
        await hub.until(carrying(hub, 4))
        again = server.connects[4:]
        for times in (first, again):
            assert all(later - earlier > CONNECT_SPACING / SECOND * 0.8 for earlier, later in pairwise(times))
        assert min(again) - cut > 0.05
        assert set(hub.disconnects()) == {"connection_lost"}
        assert {event.connection for event in hub.of(Connected)} == {0, 1, 2, 3}
    assert server.handshakes == 8


async def test_a_refused_subscription_is_named_and_the_others_run(server: TinyServer) -> None:
    server.refuse = {"book.BBB"}
    async with running(server, "AAA", "BBB") as (hub, _):
        await hub.until(carrying(hub, 1))
        (fault,) = hub.sessions[0].faults()
        assert (fault.kind.value, fault.key, fault.detail) == ("refused", "book.BBB", "no such topic")
        assert hub.sessions[0].phase("book.AAA") is Phase.LIVE


async def test_acknowledged_then_silent_is_found_and_ends_in_a_new_connection(server: TinyServer) -> None:
    server.speak = False
    async with running(server, "AAA") as (hub, runner):
        await hub.until(lambda: hub.sessions and hub.sessions[0].phase("book.AAA") is Phase.ACKED)
        first = hub.sessions[0]
        hub.clock_skew += 11 * SECOND
        runner.execute(hub.on_tick(Clock().now()))
        assert first.is_silent("book.AAA")
        server.speak = True
        await hub.until(lambda: carrying(hub, 1)() and hub.sessions[0] is not first)
        assert hub.disconnects() == ["silent"]


async def test_an_oversize_frame_ends_the_connection_by_name(server: TinyServer) -> None:
    async with running(server, "AAA") as (hub, _):
        await hub.until(carrying(hub, 1))
        await server.sockets[0].send("x" * 5000)
        await hub.until(lambda: hub.disconnects() == ["frame_too_big"])
        await hub.until(carrying(hub, 1))
    assert all(len(frame) <= 4096 for _, frame in hub.frames)


async def test_a_frame_that_drips_in_does_not_pass_for_life(server: TinyServer) -> None:
    async def drip(socket: ServerConnection) -> None:
        if len(server.connects) > 1:
            return
        socket.transport.write(b"\x81\x7e\x0f\x00" + b"{")  # a text frame of 3840 bytes that never ends
        await socket.wait_closed()

    server.on_connect = drip
    async with running(server, "AAA") as (hub, runner):
        await hub.until(lambda: hub.sessions)
        dripping = hub.sessions[0]
        hub.clock_skew += 12 * SECOND
        runner.execute(hub.on_tick(Clock().now()))
        await hub.until(lambda: carrying(hub, 1)() and hub.sessions[0] is not dripping)
        assert hub.disconnects() == ["silent"]


async def test_a_venue_that_closes_and_one_that_breaks_the_protocol_are_told_apart(server: TinyServer) -> None:
    async with running(server, "AAA") as (hub, _):
        await hub.until(carrying(hub, 1))
        await server.sockets[0].close(1001, "maintenance")
        await hub.until(lambda: len(hub.disconnects()) == 1)
        await hub.until(carrying(hub, 1))
        server.sockets[0].transport.write(b"\xff\xff\xff\xff")
        await hub.until(lambda: len(hub.disconnects()) == 2)
        assert hub.disconnects() == ["closed_by_venue", "protocol_error"]


async def test_frames_in_pieces_and_binary_frames_arrive_whole(server: TinyServer) -> None:
    async def pieces(socket: ServerConnection) -> None:
        await socket.send(data("book.AAA", "early").decode())  # may come in the read that ends the handshake

    server.on_connect = pieces
    async with running(server, "AAA") as (hub, _):
        await hub.until(carrying(hub, 1))
        await server.sockets[0].send(['{"t":"book', '.AAA","d":', '"joined"}'])
        await server.sockets[0].send(data("book.AAA", "binary"))
        await hub.until(lambda: (0, data("book.AAA", "binary")) in hub.frames)
    frames = [frame for _, frame in hub.frames]
    assert frames[0] == data("book.AAA", "early")
    assert frames.index(data("book.AAA", "joined")) + 1 == frames.index(data("book.AAA", "binary"))
    assert all(type(frame) is bytes for frame in frames)


async def test_a_planned_successor_overlaps_and_the_old_one_goes_when_it_carries(server: TinyServer) -> None:
    async with running(server, "AAA", "BBB") as (hub, runner):
        await hub.until(carrying(hub, 1))
        for _ in range(3):  # asking more often opens no more
            runner.execute([OpenSuccessor("tiny", 0, "lifetime")])
        await hub.until(lambda: 1 in hub.sessions and 0 not in hub.sessions)
        assert hub.disconnects() == ["succeeded"]
        connected = [event.connection for event in hub.of(Connected)]
        assert connected == [0, 1]
        old_end = next(event.at for event in hub.of(Disconnected))
        assert hub.of(Connected)[1].at < old_end
        assert hub.sessions[1].carrying
        runner.execute([OpenSuccessor("tiny", 1, "shutdown_announced")])
        await hub.until(lambda: 0 in hub.sessions and 1 not in hub.sessions)  # small indices come back
        assert server.handshakes == 3


async def test_an_old_connection_that_dies_first_is_not_opened_again(server: TinyServer) -> None:
    async with running(server, "AAA") as (hub, runner):
        await hub.until(carrying(hub, 1))
        server.handshake_status = (503, {})
        runner.execute([OpenSuccessor("tiny", 0, "lifetime")])
        await hub.until(lambda: server.handshakes >= 2)
        server.drop_all()
        await hub.until(lambda: hub.disconnects() == ["connection_lost"])
        server.handshake_status = None
        await hub.until(carrying(hub, 1))
        assert [event.connection for event in hub.of(Connected)] == [0, 1]


HALTS = [(403, "http_403"), (418, "http_418"), (451, "http_451")]


async def each_in_its_own_venue(check: Any) -> None:
    """Runs `check` for each halting status at the same time: most of it is waiting for nothing to happen."""
    servers = [TinyServer() for _ in HALTS]
    for made in servers:
        await made.open()
    try:
        await asyncio.gather(*(check(made, *halt) for made, halt in zip(servers, HALTS, strict=True)))
    finally:
        for made in servers:
            await made.close()


async def test_a_refused_handshake_halts_the_venue_without_retry() -> None:
    async def check(server: TinyServer, status: int, reason: str) -> None:
        server.handshake_status = (status, {"Retry-After": "900"} if status != 451 else {})
        venue = TinyVenue()
        venue.per_connection = 1
        async with running(server, venue=venue) as (hub, runner):
            await hub.until(lambda: hub.of(VenueHalted))
            (halted,) = hub.of(VenueHalted)
            assert halted.reason == reason
            assert (halted.until is None) == (status == 451)
            if halted.until is not None:
                assert halted.until - halted.at == pytest.approx(900 * SECOND, abs=SECOND)
            requests = len(server.requests)
            runner.execute([Fetch("tiny", SNAPSHOT)])
            ticks = hub.ticks
            await hub.until(lambda: hub.ticks >= ticks + 3)
            assert server.handshakes <= 4  # those that were on their way
            assert len(server.requests) == requests
            assert len(hub.of(VenueHalted)) == 1
            assert not hub.of(RestReplied)

    await each_in_its_own_venue(check)


async def test_a_refusing_rest_halts_the_venue_without_retry() -> None:
    async def check(server: TinyServer, status: int, reason: str) -> None:
        async def refuse(request: web.Request) -> web.Response:
            return web.Response(status=status, text="<html>no</html>", content_type="text/html")

        server.rest = refuse
        async with running(server, "AAA") as (hub, runner):
            await hub.until(lambda: hub.of(VenueHalted))
            assert hub.of(VenueHalted)[0].reason == reason
            for symbol in "ABC":
                runner.execute([Fetch("tiny", replace(SNAPSHOT, symbol=symbol))])
            ticks = hub.ticks
            await hub.until(lambda: hub.ticks >= ticks + 3)
        assert len(server.requests) == 1
        assert server.handshakes == 0

    await each_in_its_own_venue(check)


async def test_an_unreachable_venue_is_named_and_asked_ever_more_rarely(server: TinyServer) -> None:
    venue = TinyVenue()
    venue.per_connection = 1
    async with running(server, venue=venue, ws_origin="ws://127.0.0.1:1") as (hub, _):
        await hub.until(lambda: hub.of(VenueHalted))
        halted = hub.of(VenueHalted)[0]
        assert halted.reason == "unreachable"
        assert halted.until > halted.at
        assert not hub.of(Connected)


async def test_rest_answers_and_their_failures(server: TinyServer) -> None:
    async def misbehave(request: web.Request) -> web.StreamResponse | None:
        match request.path:
            case "/html":
                return web.Response(text="<html>sorry</html>", content_type="text/html")
            case "/500":
                return web.Response(status=500, text="{}")
            case "/404":
                return web.Response(status=404, text="{}")
            case "/moved":
                return web.Response(status=302, headers={"Location": "/depth"})
            case "/big":
                return web.Response(body=b"[" + b" " * 70_000)
            case "/bomb":
                made = web.Response(body=b"[" + b" " * 3_000_000)
                made.enable_compression()
                return made
            case "/slow":
                await asyncio.get_running_loop().create_future()
        return None

    server.rest = misbehave
    async with running(server, "AAA", rest_max_body_bytes=65_536, rest_timeout_seconds=0.5) as (hub, runner):
        await hub.until(carrying(hub, 1))
        names = ["depth?symbol=AAA", "html", "500", "404", "moved", "big", "bomb", "slow"]
        runner.execute(
            [Fetch("tiny", RestRequest("snapshot", f"http://tiny.invalid/{name}", 1, name)) for name in names]
        )
        await hub.until(lambda: len(hub.of(RestReplied)) == len(names))
        replies = {event.request.symbol: event for event in hub.of(RestReplied)}
        assert replies.pop(names[0]).body == b'{"path": "/depth"}'
        errors = {name: event.error for name, event in replies.items()}
        assert errors == {
            "html": "snapshot: text/html instead of JSON",
            "500": "HTTP 500 from tiny",
            "404": "snapshot: HTTP 404",
            "moved": "snapshot: HTTP 302",
            "big": "the answer is larger than 65536 bytes",
            "bomb": "the answer is larger than 65536 bytes",
            "slow": "snapshot: no answer within 0.5 s",
        }
        assert all(not event.body for event in replies.values())
        assert runner.rest_weight_used_ratio("tiny") == pytest.approx(0.123, abs=0.02)


async def test_too_many_requests_waits_as_long_as_the_venue_says(server: TinyServer) -> None:
    answers = iter([web.Response(status=429, headers={"Retry-After": "1"}, text="{}")])

    async def limit(request: web.Request) -> web.Response | None:
        return next(answers, None) if request.path == "/depth" else None

    server.rest = limit
    async with running(server, "AAA") as (hub, runner):
        await hub.until(carrying(hub, 1))
        runner.execute([Fetch("tiny", SNAPSHOT), Fetch("tiny", SNAPSHOT)])
        await hub.until(lambda: hub.of(RestReplied))
        assert hub.of(RestReplied)[0].error == ""
    first, second = (at for at, path in server.requests if path.startswith("/depth"))
    assert second - first >= 0.99


async def test_a_listing_that_cannot_be_read_is_tried_again(server: TinyServer) -> None:
    answers = iter([web.Response(text="<html>"), web.Response(status=500, text="{}")])

    async def stumble(request: web.Request) -> web.Response | None:
        return next(answers, None)

    server.rest = stumble
    async with running(server, "AAA") as (hub, _):
        await hub.until(carrying(hub, 1))
    assert len(hub.of(InstrumentsListed)) == 1


async def test_a_market_listed_later_is_taken_in_at_the_refresh(server: TinyServer) -> None:
    server.listed = ["AAA", "BBB"]
    async with running(server, "AAA", "BBB", "CCC", refresh_seconds=0.2) as (hub, _):
        await hub.until(carrying(hub, 1))
        server.listed = ["AAA", "BBB", "CCC"]
        await hub.until(carrying(hub, 2))
        assert [len(event.instruments) for event in hub.of(InstrumentsListed)] == [2, 3]
        assert hub.disconnects() == []  # the first connection goes on
        server.listed = ["AAA", "CCC"]
        await hub.until(lambda: carrying(hub, 1)() and len(hub.disconnects()) == 2)
        assert hub.disconnects() == ["plan_changed", "plan_changed"]
        assert [topic.key for topic in hub.sessions[0].plan.topics] == ["book.AAA", "book.CCC"]
        server.listed = []  # a glitch of the venue
        requests = len(server.requests)
        await hub.until(lambda: hub.ticks and len(server.requests) >= requests + 2)
        assert carrying(hub, 1)()


async def test_a_sink_that_fails_on_a_frame_costs_that_connection_alone(server: TinyServer) -> None:
    venue = TinyVenue()
    venue.per_connection = 1
    async with running(server, "AAA", "BBB", venue=venue) as (hub, runner):
        await hub.until(carrying(hub, 2))

        def fail(frame: bytes) -> tuple[()]:
            hub.on_hook = None
            raise ZeroDivisionError(frame)

        hub.on_hook = fail
        await server.sockets[0].send(data("book.AAA").decode())
        await hub.until(lambda: hub.disconnects() == ["internal_error"])
        await hub.until(carrying(hub, 2))
        assert runner.task_deaths == 1


async def test_a_stop_does_not_wait_for_a_server_that_no_longer_answers(server: TinyServer) -> None:
    async def deaf(socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await socket.wait_closed()

    server.on_connect = deaf
    async with running(server, "AAA", "BBB", "CCC", "DDD") as (hub, _):
        await hub.until(lambda: len(hub.sessions) == 2)
    assert hub.disconnects() == ["stopped", "stopped"]


async def test_a_peer_that_does_not_read_is_given_up(server: TinyServer) -> None:
    async def deaf(socket: ServerConnection) -> None:
        if len(server.connects) == 1:
            socket.transport.pause_reading()
            await socket.wait_closed()

    server.on_connect = deaf
    async with running(server, "AAA") as (hub, runner):
        await hub.until(lambda: hub.sessions)
        from monitor.events import Send

        for _ in range(400):
            runner.execute([Send("tiny", 0, "x" * 65_536)])
        await hub.until(lambda: hub.disconnects() == ["send_stalled"])
        await hub.until(carrying(hub, 1))


async def test_a_venue_without_text_ping_is_pinged_by_protocol_and_a_dead_peer_is_found(server: TinyServer) -> None:
    async def dead(socket: ServerConnection) -> None:
        if len(server.connects) == 1:
            socket.transport.pause_reading()
            await socket.wait_closed()

    server.on_connect = dead
    venue = TinyVenue(ping=Ping(None, 0.2, 0.3))
    async with running(server, "AAA", venue=venue) as (hub, _):
        await hub.until(lambda: hub.disconnects() == ["ping_lost"])
        await hub.until(carrying(hub, 1))
        pong = await server.sockets[-1].ping()  # and theirs are answered
        await asyncio.wait_for(pong, 5)


async def test_cancelling_the_runner_closes_the_sockets_too(server: TinyServer) -> None:
    venue = TinyVenue()
    hub = SmallHub(venue)
    runner = FeedRunner([(venue, server.options("AAA"))], hub, Clock(), seed=5)
    task = asyncio.create_task(runner.run())
    await hub.until(carrying(hub, 1))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert hub.disconnects() == ["stopped"]


async def test_sockets_and_rest_go_through_the_proxy_when_one_is_set(server: TinyServer) -> None:
    seen: list[bytes] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65_536):
                writer.write(piece)
        finally:
            writer.close()

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target = head.split(b" ")[:2]
        seen.append(method)
        host = target if method == b"CONNECT" else target.split(b"/")[2]
        name, port = host.decode().split(":")
        there, out = await asyncio.open_connection(name, int(port))
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            out.write(head)
        await asyncio.gather(pump(reader, out), pump(there, writer), return_exceptions=True)

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as relay:
        address = f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        async with running(server, "AAA", proxy=address) as (hub, _):
            await hub.until(carrying(hub, 1))
            assert set(seen) == {b"GET", b"CONNECT"}
