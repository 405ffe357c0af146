"""Stop within three seconds, whatever is going on."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from e2e_child import running
from e2e_logs import Logs
from e2e_world import STOP_SECONDS, VENUES, eventually, live, service_on

from monitor.simulator.service import SimulatedVenues, settings_toml


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port that takes connections and says nothing, for ever."""
    held: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        with contextlib.suppress(ConnectionError):
            await reader.read(-1)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()


def dead_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def venues_at(port: int, rest: int | None = None) -> str:
    markets = {"binance_usdm": "BTCUSDT", "bybit_linear": "BTCUSDT", "okx_swap": "BTC-USDT-SWAP"}
    return "\n".join(
        f'[venues.{venue}]\nsymbols = ["{market}"]\nws_origin = "ws://127.0.0.1:{port}"\n'
        f'rest_origin = "http://127.0.0.1:{rest or port}"\n'
        for venue, market in markets.items()
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_while_running(tmp_path: Path, number: int) -> None:
    async with SimulatedVenues("calm", 7) as sim, running(sim, tmp_path) as child:
        await child.ready(6)
        memory = child.rss_mb()
        took = await child.stop(number, STOP_SECONDS)
        assert child.code == 0
        assert child.said("stopped")
        assert len([line for line in child.out if not line.startswith("{")]) == 0
        print(f"stop while running: {took:.2f} s, resident {memory:.0f} MB")


async def test_while_venues_do_not_answer(tmp_path: Path) -> None:
    """REST requests and handshakes that hang."""
    async with black_hole() as port, SimulatedVenues("calm", 7) as sim:
        async with running(sim, tmp_path / "rest", venues=venues_at(port)) as child:
            await child.until(30, lambda: child.url, "it listens")
            print(f"stop while listings hang: {await child.stop():.2f} s")
            assert child.code == 0
        rest_only = settings_toml(sim)
        for venue in VENUES:
            rest_only = rest_only.replace(sim.origins[venue]["ws_origin"], f"ws://127.0.0.1:{port}")
        async with running(sim, tmp_path / "ws", venues=rest_only) as child:
            await child.answer("/readyz", lambda body: body["configured"] == 6)
            print(f"stop while handshakes hang: {await child.stop():.2f} s")
            assert child.code == 0


async def test_while_venues_are_away(tmp_path: Path) -> None:
    """Between two attempts, in a long pause."""
    async with SimulatedVenues("calm", 7) as sim, running(sim, tmp_path, venues=venues_at(dead_port())) as child:
        await child.until(30, lambda: len(child.said("instruments_not_listed")) == 3, "every venue was tried")
        print(f"stop while venues are away: {await child.stop():.2f} s")
        assert child.code == 0


@pytest.mark.parametrize("broker", ["dead", "silent"])
async def test_while_the_broker_is_away(tmp_path: Path, broker: str) -> None:
    async with black_hole() as hole, SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        port = hole if broker == "silent" else dead_port()
        async with running(sim, tmp_path, mqtt=f'[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n') as child:
            await child.ready(3)
            print(f"stop with a {broker} broker: {await child.stop():.2f} s")
            assert child.code == 0


async def test_while_books_resync_and_venues_fall_silent(tmp_path: Path, logs: Logs) -> None:
    """In this process: gaps everywhere, sockets cut, one venue banned, one dripping."""
    async with live("cascade", speed=4.0, folder=tmp_path) as world:
        await world.ready()
        world.sim.faults.inject("slow_drip", venue="okx_swap", bytes_per_second=50)
        world.sim.faults.inject("http_418", venue="binance_usdm", count=100)
        world.sim.faults.inject("gap", channel="book", count=50)
        await eventually(lambda: len(world.watch.lost) >= 3)
        took = await world.stop()
        print(f"stop while resyncing: {took:.2f} s")


async def test_before_it_has_started(tmp_path: Path) -> None:
    """The signal comes while modules are imported or the listing is asked for."""
    async with SimulatedVenues("calm", 7) as sim, running(sim, tmp_path) as child:
        await child.until(30, lambda: child.said("starting"), "it says that it starts")
        await child.stop(signal.SIGTERM, 5.0)
        assert child.code == 0


@pytest.mark.parametrize(
    ("speed", "seconds"), [(8.0, 5.5), pytest.param(1.0, 100.0, marks=[pytest.mark.soak, pytest.mark.timeout(200)])]
)
async def test_in_the_middle_of_a_cascade(tmp_path: Path, speed: float, seconds: float, logs: Logs) -> None:
    """A service that had lived through 95 s of a cascade once did not end."""
    async with live(
        "cascade", speed=speed, folder=tmp_path, extra='[engine]\nfloor_settle = "5s"\nbaseline_warmup = "20s"\n'
    ) as world:
        await world.ready()
        started = world.clock.now()
        await eventually(lambda: (world.clock.now() - started) / 1e9 >= seconds, seconds + 30)
        assert world.transitions("liquidation_burst")
        took = await world.stop()
        print(f"stop in the middle of a cascade (speed {speed:g}): {took:.2f} s, {len(world.alerts)} transitions")
        assert logs.complaints() == []


async def test_again_and_again_on_the_same_state(tmp_path: Path, logs: Logs) -> None:
    """Ten short lives: no port, lock, thread or broker is left behind by one of them."""
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim:
        times = []
        for _ in range(10):
            async with service_on(sim, tmp_path) as world:
                await world.ready(3)
                times.append(await world.stop())
        print(f"ten lives, stops {min(times):.2f} to {max(times):.2f} s")
        assert logs.complaints() == []


async def test_a_mistake_of_ours_in_a_seconds_work_is_counted_and_not_repeated_in_the_log(
    tmp_path: Path, logs: Logs
) -> None:
    """The work of a second that always raises: said for the 1st, 2nd, 4th ... time, sockets and a clean stop go on."""
    async with live(folder=tmp_path, assets=("BTC",)) as world:
        await world.ready(3)

        def broken(*_: object) -> None:
            raise RuntimeError("made for this test")

        for asset in world.hub.assets.values():
            asset.step = broken  # type: ignore[method-assign,assignment]
        await eventually(lambda: len(logs.of("sink_failed")) >= 3, 10)
        counts = [line.fields["errors"] for line in logs.of("sink_failed")]
        assert counts == [1, 2, 4]
        assert all(world.venue(venue).reconnects == {} for venue in VENUES)
        await world.stop()
