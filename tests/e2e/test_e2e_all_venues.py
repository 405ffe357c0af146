"""Every venue and about a hundred markets at once: `undertow simulate` and `undertow run` as two processes, watched from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest
from e2e_world import BASE, Scrape

from monitor.simulator.protocols.registry import PROTOCOLS

MARKETS_AT_LEAST = 95
SEEDED_SECONDS = 100.0  # seeds over REST are paced by the venue's weight: the last may wait for the next minute
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.asynccontextmanager
async def undertow(log: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as a child; its log goes to a file, so that a full pipe never stops it."""
    with log.open("wb") as file:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "monitor.cli", *arguments, stdout=file, stderr=file
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
            await asyncio.wait_for(child.wait(), 20)


def usage(pid: int) -> tuple[float, int]:
    """CPU seconds so far and resident bytes of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS, int(fields[21]) * PAGE


def slope(points: list[tuple[float, int]]) -> float:
    """Bytes a second by least squares."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def quantile(buckets: dict[float, float], share: float) -> float:
    """The upper edge of the bucket that holds this share of the observations."""
    total = max(buckets.values())
    return min(edge for edge, count in buckets.items() if count >= share * total)


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def running_url(log: Path) -> str:
    """The address in the log line that says that the service runs; "" before."""
    for line in log.read_text(errors="replace").splitlines():
        with contextlib.suppress(orjson.JSONDecodeError):
            said = orjson.loads(line)
            if isinstance(said, dict) and said.get("event") == "running":
                return str(said["http"])
    return ""


async def until_running(log: Path, seconds: float) -> str:
    until = time.monotonic() + seconds
    while not (url := running_url(log)):
        assert time.monotonic() < until, tail(log)
        await asyncio.sleep(0.1)
    return url


def unverified(seen: Scrape) -> list[str]:
    return [
        f"{dict(of)['venue']} {dict(of)['market']}" for of, value in seen.series["book_verified"].items() if not value
    ]


async def scrape(url: str) -> Scrape:
    async with aiohttp.ClientSession() as client, client.get(url + "/metrics") as answer:
        return Scrape.of(await answer.text())


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("settle", "seconds"), [(0.0, 10.0), pytest.param(60.0, 600.0, marks=pytest.mark.soak)], ids=["short", "long"]
)
async def test_nothing_is_lost_and_nothing_grows(tmp_path: Path, settle: float, seconds: float) -> None:
    """No gap, no resync, no reconnect in ten calm minutes; memory flat; the figures are printed. `settle`: until caches have their size."""
    settings, log = tmp_path / "venues.toml", tmp_path / "run.log"
    venues = ("simulate", "--scenario", "calm", "--seed", "7", "--venues", "all", "--write-config", str(settings))
    async with undertow(tmp_path / "simulate.log", *venues) as simulator:
        while not settings.exists():
            assert simulator.returncode is None, tail(tmp_path / "simulate.log")
            await asyncio.sleep(0.05)
        config = tmp_path / "undertow.toml"
        config.write_text(BASE.format(folder=tmp_path) + settings.read_text())
        async with undertow(log, "run", "-c", str(config), "--log-format", "json") as service:
            url = await until_running(log, 90)
            begun = time.monotonic()
            while len(verified := (await scrape(url)).all("book_verified")) < MARKETS_AT_LEAST or not all(verified):
                assert time.monotonic() - begun < SEEDED_SECONDS, unverified(await scrape(url))
                await asyncio.sleep(0.5)
            await asyncio.sleep(settle)
            before = await scrape(url)
            cpu, started, memory = usage(service.pid)[0], time.monotonic(), []
            while time.monotonic() - started < seconds:
                await asyncio.sleep(min(5.0, seconds / 4))
                memory.append((time.monotonic(), usage(service.pid)[1]))
                assert service.returncode is None
                assert unverified(await scrape(url)) == []
            share = (usage(service.pid)[0] - cpu) / (time.monotonic() - started)
            after = await scrape(url)
    print()
    for name in (
        "book_gaps_total",
        "book_resyncs_total",
        "book_crossed_total",
        "feed_reconnects_total",
        "feed_parse_errors_total",
    ):
        grown = {
            tuple(sorted(dict(of).items())): value - before.series.get(name, {}).get(of, 0.0)
            for of, value in after.series.get(name, {}).items()
            if value != before.series.get(name, {}).get(of, 0.0)
        }
        print(f"{name}: {sum(grown.values()):g} more in {seconds:g} s")
        assert not grown, (name, grown)
    assert {dict(of)["venue"] for of in after.series["book_verified"]} == set(PROTOCOLS)
    frames = sum(after.series["feed_messages_total"].values()) - sum(before.series["feed_messages_total"].values())
    lags: dict[float, float] = {}
    for of, value in after.series["feed_lag_seconds_bucket"].items():
        lags[float(dict(of)["le"])] = lags.get(float(dict(of)["le"]), 0.0) + value
    print(
        f"{len(verified)} markets, {frames / seconds:.0f} frames a second, CPU {100 * share:.1f}% of a core, "
        f"RSS {memory[-1][1] / 2**20:.0f} MiB, slope {slope(memory) * 3600 / 2**20:+.1f} MiB an hour, lag p99 <= {quantile(lags, 0.99) * 1000:g} ms"
    )
    if settle:
        assert slope(memory[len(memory) // 2 :]) * 3600 < 64 * 2**20, "memory grows"
