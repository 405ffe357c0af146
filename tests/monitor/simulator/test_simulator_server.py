"""The simulated venues over real sockets: control frames, REST limits, and each misbehaviour as it shows on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest
import websockets
from sim_reader import BookReader
from websockets.asyncio.client import ClientConnection, connect

from monitor.errors import SettingsError
from monitor.simulator.misbehaviour import KINDS
from monitor.simulator.service import SimulatedVenues, settings_toml

BINANCE, BYBIT, OKX = "binance_usdm", "bybit_linear", "okx_swap"
PATHS = {BINANCE: "/public/stream", BYBIT: "/v5/public/linear", OKX: "/ws/v5/public"}
BOOKS = {BINANCE: "btcusdt@depth@100ms", BYBIT: "orderbook.1000.BTCUSDT", OKX: "books:BTC-USDT-SWAP"}


@asynccontextmanager
async def still(scenario: str = "calm", **named: Any) -> AsyncIterator[SimulatedVenues]:
    """Venues on which time passes only by `step`."""
    async with SimulatedVenues(scenario, seed=3, assets=("BTC",), stepping=True, **named) as sim:
        yield sim


@asynccontextmanager
async def socket(sim: SimulatedVenues, venue: str, path: str | None = None) -> AsyncIterator[ClientConnection]:
    url = sim.origins[venue]["ws_origin"] + (path or PATHS[venue])
    async with connect(url, proxy=None, compression=None, max_size=None) as ws:
        yield ws


def ask(venue: str, *keys: str, op: str = "subscribe", number: int = 1) -> str:
    if venue == BINANCE:
        return orjson.dumps({"method": op.upper(), "params": keys, "id": number}).decode()
    if venue == BYBIT:
        return orjson.dumps({"req_id": str(number), "op": op, "args": keys}).decode()
    args = []
    for key in keys:
        channel, _, which = key.partition(":")
        args.append({"channel": channel, "instType" if which == "SWAP" else "instId": which})
    return orjson.dumps({"id": str(number), "op": op, "args": args}).decode()


async def said(ws: ClientConnection) -> Any:
    text = await asyncio.wait_for(ws.recv(), 5)
    return orjson.loads(text)


async def subscribed(sim: SimulatedVenues, ws: ClientConnection, venue: str, *keys: str) -> list[Any]:
    await ws.send(ask(venue, *keys))
    return [await said(ws) for _ in (keys if venue == OKX else keys[:1])]


async def frames(sim: SimulatedVenues, ws: ClientConnection, milliseconds: int) -> list[bytes]:
    """Everything that arrives while this much time passes, in order."""
    for _ in range(milliseconds // 50):
        await sim.step(50)
    mark = await ws.ping()
    found: list[bytes] = []
    reader = asyncio.create_task(_collect(ws, found))
    await asyncio.wait_for(mark, 10)
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    while True:
        try:
            found.append((await asyncio.wait_for(ws.recv(), 0.01)).encode())
        except TimeoutError:
            return found


async def drain(ws: ClientConnection, patience: float = 5) -> None:
    """Read until the socket closes or falls silent, which raises."""
    while True:
        await asyncio.wait_for(ws.recv(), patience)


async def _collect(ws: ClientConnection, found: list[bytes]) -> None:
    async for message in ws:
        found.append(message.encode() if isinstance(message, str) else message)


async def get(sim: SimulatedVenues, venue: str, address: str) -> tuple[int, Any, Any]:
    async with aiohttp.ClientSession() as http, http.get(sim.origins[venue]["rest_origin"] + address) as reply:
        return reply.status, reply.headers, await reply.read()


async def reader_after(sim: SimulatedVenues, ws: ClientConnection, venue: str, milliseconds: int) -> BookReader:
    """A subscribed, seeded reader after this much time."""
    reader = BookReader(venue)
    await subscribed(sim, ws, venue, BOOKS[venue])
    for data in await frames(sim, ws, 500):
        reader.frame(data)
    if venue == BINANCE:
        reader.snapshot_reply((await get(sim, venue, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000"))[2])
    for data in await frames(sim, ws, milliseconds):
        reader.frame(data)
    return reader


# -- manners
async def test_settings_point_at_the_ports() -> None:
    async with still() as sim:
        text = settings_toml(sim)
        for venue, symbols in sim.symbols.items():
            assert f"[venues.{venue}]\nsymbols = {orjson.dumps(symbols).decode()}" in text
            assert f'rest_origin = "{sim.origins[venue]["rest_origin"]}"' in text
        ports = {server.port for server in sim.servers.values()} | {sim.control.port}
        assert len(ports) == 4


async def test_a_taken_port_is_one_clear_error() -> None:
    async with still() as sim:
        second = SimulatedVenues(stepping=True, assets=("ETH",), ports={OKX: sim.servers[OKX].port})
        with pytest.raises(SettingsError, match="cannot listen on"):
            await second.__aenter__()


async def test_binance_acknowledges_the_wrong_route_and_stays_silent() -> None:
    async with still() as sim, socket(sim, BINANCE) as ws:
        await ws.send(ask(BINANCE, "btcusdt@aggTrade", "btcusdt@markPrice@1s", "nonsense@depth", number=7))
        assert await said(ws) == {"result": None, "id": 7}
        assert await frames(sim, ws, 3_000) == []
        await ws.send(ask(BINANCE, op="list_subscriptions"))
        assert len((await said(ws))["result"]) == 3
    async with still() as sim, socket(sim, BINANCE, "/market/ws/btcusdt@markPrice@1s") as ws:
        (frame,) = await frames(sim, ws, 1_000)
        assert orjson.loads(frame)["e"] == "markPriceUpdate"  # raw mode: no envelope
    async with still() as sim, socket(sim, BINANCE, "/stream?streams=btcusdt@depth@100ms/btcusdt@aggTrade") as ws:
        found = {orjson.loads(f)["stream"] for f in await frames(sim, ws, 2_000)}
        assert found == {"btcusdt@depth@100ms"}  # without a route only public streams are served


async def test_binance_control_errors() -> None:
    async with still() as sim, socket(sim, BINANCE) as ws:
        await ws.send("{nonsense")
        assert (await said(ws))["code"] == 3
        await ws.send('{"method":"FLY","id":4}')
        reply = await said(ws)
        assert (reply["code"], reply["id"]) == (2, 4)
        await ws.send('{"method":"SET_PROPERTY","params":["combined",false],"id":5}')
        assert await said(ws) == {"result": None, "id": 5}
        for number in range(8):  # more than ten messages a second, with those before
            await ws.send(ask(BINANCE, op="list_subscriptions", number=number))
        with pytest.raises(websockets.ConnectionClosed):
            await drain(ws)


async def test_bybit_fails_the_whole_batch_on_one_unknown_topic() -> None:
    async with still() as sim, socket(sim, BYBIT) as ws:
        (reply,) = await subscribed(sim, ws, BYBIT, "publicTrade.BTCUSDT", "orderbook.500.BTCUSDT")
        assert reply["success"] is False
        assert reply["ret_msg"] == "error:handler not found,topic:orderbook.500.BTCUSDT"
        assert await frames(sim, ws, 2_000) == []
        (reply,) = await subscribed(sim, ws, BYBIT, "publicTrade.BTCUSDT")
        assert reply["success"] is True
        (reply,) = await subscribed(sim, ws, BYBIT, "publicTrade.BTCUSDT")
        assert reply["ret_msg"] == "error:already subscribed,topic:publicTrade.BTCUSDT"
        (reply,) = await subscribed(sim, ws, BYBIT, *["publicTrade.BTCUSDT"] * 11)
        assert reply["ret_msg"] == "args size >10"
        await ws.send('{"op":"ping","req_id":"9"}')
        assert {"ret_msg": "pong", "req_id": "9"}.items() <= (await said(ws)).items()
        await ws.send("[")
        assert "Failed to decode" in (await said(ws))["ret_msg"]
        await ws.send('{"op":"fly"}')
        assert (await said(ws))["ret_msg"] == "error:invalid op"
        await ws.send(ask(BYBIT, "publicTrade.BTCUSDT", op="unsubscribe"))
        assert (await said(ws))["op"] == "unsubscribe"
        assert await frames(sim, ws, 1_000) == []


async def test_okx_answers_each_argument_and_closes_an_idle_socket() -> None:
    async with still() as sim, socket(sim, OKX) as ws:
        await ws.send("ping")
        assert await asyncio.wait_for(ws.recv(), 5) == "pong"
        await ws.send(ask(OKX, "trades:BTC-USDT-SWAP", "books:FOO-USDT-SWAP", "liquidation-orders:SWAP"))
        first, second, third = [await said(ws) for _ in range(3)]
        assert first["arg"] == {"channel": "trades", "instId": "BTC-USDT-SWAP"}
        assert second["code"] == "60018"
        assert "books" in second["msg"]
        assert "FOO-USDT-SWAP" in second["msg"]
        assert third["event"] == "subscribe"
        await ws.send('{"op":"subscribe"}')
        assert (await said(ws))["code"] == "60012"
        await ws.send(ask(OKX, "trades:BTC-USDT-SWAP", op="unsubscribe"))
        assert (await said(ws))["event"] == "unsubscribe"
        for _ in range(31):
            await sim.step(1_000)
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(ws.recv(), 5)


async def test_rest_limits_and_errors() -> None:
    async with still() as sim:
        status, headers, _ = await get(sim, BINANCE, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000")
        assert (status, headers["X-MBX-USED-WEIGHT-1M"]) == (200, "20")
        assert (await get(sim, BINANCE, "/fapi/v1/depth?symbol=NOPE&limit=5"))[0] == 400
        assert orjson.loads((await get(sim, BINANCE, "/fapi/v1/depth?symbol=BTCUSDT&limit=7"))[2])["code"] == -4021
        server = sim.servers[BINANCE]
        replies = [server.rest("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "1000"}) for _ in range(150)]
        assert {429, 418} <= {reply.status for reply in replies}
        assert all("Retry-After" in r.headers for r in replies if r.status in (429, 418))
        assert (await get(sim, BYBIT, "/v5/market/orderbook?category=spot&symbol=BTCUSDT"))[2].startswith(
            b'{"retCode":10001'
        )
        pages, cursor = [], ""
        while True:
            address = f"/v5/market/instruments-info?category=linear&limit=1000&cursor={cursor}"
            result = orjson.loads((await get(sim, BYBIT, address))[2])["result"]
            pages.append(result["list"])
            if not (cursor := result["nextPageCursor"]):
                break
        assert len(pages) > 1
        assert "BTCUSDT" in {row["symbol"] for page in pages for row in page}
        body = (await get(sim, OKX, "/api/v5/market/books-full?instId=NOPE&sz=5"))[2]
        assert orjson.loads(body)["code"] == "51001"
        statuses = [
            sim.servers[OKX].rest("/api/v5/market/books-full", {"instId": "BTC-USDT-SWAP", "sz": "5"}).status
            for _ in range(12)
        ]
        assert statuses[-1] == 429
        assert (await get(sim, OKX, "/nowhere"))[0] == 404


# -- misbehaviour
@pytest.mark.parametrize("venue", PATHS)
async def test_gap_duplicate_and_reorder_break_the_sequence(venue: str) -> None:
    async with still() as sim, socket(sim, venue) as ws:
        reader = await reader_after(sim, ws, venue, 1_000)
        assert reader.gaps == 0
        sim.faults.inject("gap", venue=venue, channel="book")
        for data in await frames(sim, ws, 1_000):
            reader.frame(data)
        assert reader.gaps == 1
        assert not sim.faults.standing
        sim.faults.inject("reorder", venue=venue, channel="book")
        before = reader.gaps + reader.ignored
        for data in await frames(sim, ws, 1_000):
            reader.frame(data)
        assert reader.gaps + reader.ignored > before
        sim.faults.inject("duplicate", venue=venue, channel="book")
        found = await frames(sim, ws, 1_000)
        assert len(found) == len(set(found)) + 1


@pytest.mark.parametrize("venue", PATHS)
async def test_refused_and_never_confirmed_subscriptions(venue: str) -> None:
    async with still() as sim, socket(sim, venue) as ws:
        sim.faults.inject("refuse_subscription", venue=venue, channel="book")
        (reply,) = await subscribed(sim, ws, venue, BOOKS[venue])
        assert reply.get("code") in (2, "60018") or reply.get("success") is False
        assert await frames(sim, ws, 1_000) == []
        sim.faults.inject("no_ack", venue=venue)
        await ws.send(ask(venue, BOOKS[venue]))
        first = await frames(sim, ws, 0)
        found = first + await frames(sim, ws, 1_000)
        assert found
        assert not any(b'"event"' in f[:40] or b'"result"' in f[:20] or b'"success"' in f[:20] for f in found)


async def test_http_faults() -> None:
    async with still() as sim:
        address = "/fapi/v1/openInterest?symbol=BTCUSDT"
        for kind, status in (
            ("http_429", 429),
            ("http_418", 418),
            ("http_403", 403),
            ("http_451", 451),
            ("http_503", 503),
        ):
            sim.faults.inject(kind, venue=BINANCE)
            got, headers, _ = await get(sim, BINANCE, address)
            assert got == status
            assert ("Retry-After" in headers) == (status in (429, 418))
        sim.faults.inject("html", venue=BINANCE, count=2)
        for _ in range(2):
            got, headers, body = await get(sim, BINANCE, address)
            assert (got, headers["Content-Type"]) == (200, "text/html")
            assert body.startswith(b"<!DOCTYPE")
        assert (await get(sim, BINANCE, address))[2].startswith(b'{"openInterest"')


async def test_garbage_truncated_and_oversize_frames() -> None:
    async with still() as sim, socket(sim, BYBIT) as ws:
        await subscribed(sim, ws, BYBIT, BOOKS[BYBIT])
        await frames(sim, ws, 0)
        for kind, options in (("garbage_frame", {}), ("truncate", {}), ("oversize_frame", {"bytes": 300_000})):
            sim.faults.inject(kind, venue=BYBIT, **options)
            bad = []
            for data in await frames(sim, ws, 1_000):
                try:
                    good = orjson.loads(data)
                    if "topic" not in good:
                        bad.append(data)
                except orjson.JSONDecodeError:
                    bad.append(data)
            assert len(bad) == 1, kind
            assert kind != "oversize_frame" or len(bad[0]) > 300_000


async def test_disconnect_outage_and_their_end() -> None:
    async with still() as sim:
        async with socket(sim, BINANCE) as one, socket(sim, OKX) as other:
            sim.faults.inject("disconnect", venue=BINANCE)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(one.recv(), 5)
            await other.send("ping")
            assert await other.recv() == "pong"
        sim.faults.inject("outage", venue=BINANCE, seconds=3)
        with pytest.raises(websockets.InvalidStatus, match="503"):
            await connect(sim.origins[BINANCE]["ws_origin"] + PATHS[BINANCE], proxy=None)
        assert (await get(sim, BINANCE, "/fapi/v1/time"))[0] == 503
        await sim.step(3_000)
        await sim.step(50)
        assert (await get(sim, BINANCE, "/fapi/v1/time"))[0] == 200
        async with socket(sim, BINANCE) as again:
            assert (await subscribed(sim, again, BINANCE, BOOKS[BINANCE])) == [{"result": None, "id": 1}]


async def test_the_scenarios_outage_cuts_bybit() -> None:
    async with SimulatedVenues("outage", seed=1, assets=("ETH",), venues=(BYBIT,), stepping=True) as sim:
        async with socket(sim, BYBIT) as ws:
            for _ in range(52):
                await sim.step(1_000)
            with pytest.raises(websockets.ConnectionClosed):
                await drain(ws)
        assert sim.world.phase == "outage"
        assert (await get(sim, BYBIT, "/v5/market/time"))[0] == 503
        for _ in range(46):
            await sim.step(1_000)
        assert (await get(sim, BYBIT, "/v5/market/time"))[0] == 200


async def test_slow_drip_holds_frames_back_and_lets_them_go() -> None:
    async with still() as sim, socket(sim, BYBIT) as ws:
        await subscribed(sim, ws, BYBIT, BOOKS[BYBIT])
        await frames(sim, ws, 0)
        fault = sim.faults.inject("slow_drip", venue=BYBIT, bytes_per_second=500)
        for _ in range(40):
            await sim.step(50)
        with pytest.raises(TimeoutError):  # a kilobyte in two seconds: no whole frame yet, or few
            await drain(ws, 0.05)
        sim.faults.clear(fault.number)
        found = await frames(sim, ws, 200)
        assert len(found) >= 5
        assert all(orjson.loads(f)["topic"] == BOOKS[BYBIT] for f in found)


async def test_clock_skew_and_shutdown_notice() -> None:
    async with still() as sim, socket(sim, OKX) as ws:
        await subscribed(sim, ws, OKX, BOOKS[OKX])
        before = orjson.loads((await frames(sim, ws, 100))[-1])["data"][0]["ts"]
        fault = sim.faults.inject("clock_skew", venue=OKX, milliseconds=-1270)
        after = orjson.loads((await frames(sim, ws, 100))[-1])["data"][0]["ts"]
        assert int(after) - int(before) == 100 - 1270
        sim.faults.clear(fault.number)
        again = orjson.loads((await frames(sim, ws, 100))[-1])["data"][0]["ts"]
        assert int(again) - int(before) == 200
        sim.faults.inject("shutdown_notice", venue=OKX)
        assert (await said(ws))["code"] == "64008"


@pytest.mark.parametrize("venue", [BYBIT, OKX])
async def test_a_restart_is_told_in_the_venues_own_way(venue: str) -> None:
    async with still() as sim, socket(sim, venue) as ws:
        reader = await reader_after(sim, ws, venue, 1_000)
        high = reader.last or 0
        sim.faults.inject("restart", venue=venue)
        for data in await frames(sim, ws, 2_000):
            reader.frame(data)
        assert reader.gaps == 0
        assert reader.last is not None
        assert reader.last < high


async def test_faults_over_http_and_wrong_orders() -> None:
    async with still() as sim, aiohttp.ClientSession() as http:
        address = sim.control_origin + "/faults"
        async with http.post(address, json={"kind": "gap", "venue": BYBIT, "count": 3}) as reply:
            assert (reply.status, await reply.json()) == (200, {"number": 1})
        async with http.get(address) as reply:
            listed = await reply.json()
            assert set(listed["kinds"]) == set(KINDS)
            assert listed["standing"][0]["left"] == 3
        for wrong, hint in (
            ({"kind": "gpa"}, "did you mean 'gap'"),
            ({"kind": "gap", "channel": "boook"}, "no channel"),
            ({"kind": "gap", "speed": 3}, "no option 'speed'"),
            ({"kind": "gap", "count": 0}, "positive"),
            ({"venue": BYBIT}, "not a fault"),
            ([1], "not a fault"),
        ):
            async with http.post(address, json=wrong) as reply:
                assert reply.status == 400
                assert hint in (await reply.json())["error"]
        async with http.delete(address) as reply:
            assert reply.status == 200
        assert not sim.faults.standing
        async with http.get(sim.control_origin + "/world") as reply:
            world = await reply.json()
            assert world["scenario"] == "calm"
            assert len(world["markets"]) == 3


async def test_without_stepping_time_passes_by_itself() -> None:
    async with SimulatedVenues("calm", speed=5, assets=("BTC",), venues=(BYBIT,)) as sim, socket(sim, BYBIT) as ws:
        await subscribed(sim, ws, BYBIT, BOOKS[BYBIT])
        reader = BookReader(BYBIT)
        while reader.frames < 20:
            reader.frame((await asyncio.wait_for(ws.recv(), 10)).encode())
        assert reader.gaps == 0
        assert sim.world.elapsed_seconds > 3
