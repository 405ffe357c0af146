"""Venues that are late or whose clocks are wrong: late is unreadable, a wrong clock is an offset."""

from __future__ import annotations

from pathlib import Path

from e2e_logs import Logs
from e2e_world import BINANCE, BTC, BYBIT, OKX, eventually, live, service_on

from monitor.simulator.service import SimulatedVenues


async def test_a_slow_drip_makes_books_unreadable_before_they_are_history(logs: Logs) -> None:
    """2 kB/s where 30 are sent: the lag grows by a second a second. Beyond 5 s nothing of it is published."""
    async with live(stepping=True) as world:
        assert await world.play(10, until=world.all_verified, pause=0.01)
        await world.play(5)
        world.sim.faults.inject("slow_drip", venue=BINANCE, bytes_per_second=2_000)
        struck = world.sim.elapsed_ns / 1e9

        def behind() -> bool:
            # Whatever is published meanwhile is at most 5 s old: its mid is one the venue had within that time.
            return world.market(BINANCE, "BTCUSDT").reason == "behind"

        assert await world.play(60, until=behind)
        noticed = world.sim.elapsed_ns / 1e9 - struck
        print(f"slow drip: behind after {noticed:.1f} s")
        assert noticed < 30
        assert world.market(BINANCE, "BTCUSDT").depth == ()
        assert await world.play(40, until=lambda: bool(world.transitions("feed_fault", subject=BINANCE)))
        assert all(world.verified(venue, BTC[venue]) for venue in (BYBIT, OKX))
        world.sim.faults.clear()
        assert await world.play(60, until=world.all_verified, pause=0.005)
        await world.play(1)
        await world.play_true()
        assert world.watch.wrong == []
        assert logs.complaints() == []
        assert logs.noise() == []


async def test_a_skewed_clock_is_an_offset(tmp_path: Path, logs: Logs) -> None:
    """One venue 1.27 s behind and one 40 s ahead from the start: no fault, and liquidations are not taken for old ones."""
    async with SimulatedVenues("calm", 7) as sim:
        sim.faults.inject("clock_skew", venue=OKX, milliseconds=-1_270)
        sim.faults.inject("clock_skew", venue=BYBIT, milliseconds=40_000)
        async with service_on(sim, tmp_path) as world:
            await world.ready()
            await world.true_books()
            await world.next_second()
            offsets = {v: world.venue(v).clock_offset_seconds for v in (BINANCE, BYBIT, OKX)}
            assert 1.0 < (offsets[OKX] or 0) - (offsets[BINANCE] or 0) < 1.6
            assert -40.3 < (offsets[BYBIT] or 0) - (offsets[BINANCE] or 0) < -39.7
            assert all((world.venue(v).lag_seconds or 0) < 1 for v in offsets)
            series = await world.metrics()
            assert abs(series.one("feed_clock_offset_seconds", venue=OKX) - (offsets[OKX] or 0)) < 0.5
            assert world.watch.lost == []


async def test_a_clock_that_jumps_while_running(logs: Logs) -> None:
    """Set back by 1.27 s: within the bound, nothing is lost. Set forward: the offset follows at once."""
    async with live() as world:
        await world.ready()
        await world.next_second()
        back = world.sim.faults.inject("clock_skew", venue=OKX)
        await eventually(lambda: (world.venue(OKX).lag_seconds or 0) > 1.0)
        await world.next_second()
        assert world.watch.lost == []
        assert world.all_verified()
        world.sim.faults.clear(back.number)
        world.sim.faults.inject("clock_skew", venue=OKX, milliseconds=9_000)
        await eventually(lambda: (world.venue(OKX).clock_offset_seconds or 0) < -8)
        await world.next_second()
        assert world.watch.lost == []
        assert world.all_verified()
        assert logs.noise() == []
