"""The whole service under load, in a process pinned to one core, with figures from inside it.

`python -m tests.bench.timed_service '{"core": 0, "settings": "bench.toml", ...}'` runs the real `Service`; commands come as lines
on its standard input, each answered by one line of JSON:
    ready            once every market is verified
    latency SECONDS  wire to state, of every stamped frame of that time
    cpu SECONDS      CPU a frame, with the stamps left alone
    alerts SECONDS   wire to acknowledged alert
    end
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import urllib.request
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

import monitor.service.service as service_module
from monitor import logs
from monitor.config import load_settings
from monitor.events import Command
from monitor.facts import Channel
from monitor.metrics.histogram import Histogram
from monitor.service.service import Service, Started
from monitor.service.sink import Sink
from tests.bench.place import place
from tests.bench.quantiles import quantiles
from tests.bench.stamp import age

READY_SECONDS = 60.0
POLL_SECONDS = 0.05


class TimedSink(Sink):
    """The service's sink; while `watching`, the age of every stamped frame once the hub is done with it."""

    watching = False
    frames = 0
    hub_ns = 0
    ages: array[int] = array("q")
    liquidation_ages: array[int] = array("q")

    def on_frame(self, venue: str, connection: int, data: bytes, at: int) -> Sequence[Command]:
        TimedSink.frames += 1
        if not TimedSink.watching:
            return super().on_frame(venue, connection, data, at)
        begun = time.perf_counter_ns()
        commands = super().on_frame(venue, connection, data, at)
        TimedSink.hub_ns += time.perf_counter_ns() - begun
        old = age(data, time.monotonic_ns())
        if old is not None:
            TimedSink.ages.append(old)
            if self._hub.last_channel is Channel.LIQUIDATIONS:
                TimedSink.liquidation_ages.append(old)
        return commands


class KeptHistogram(Histogram):
    """Also keeps every duration."""

    kept: array[int] = array("q")

    def observe(self, duration: int) -> None:
        super().observe(duration)
        KeptHistogram.kept.append(duration)


class Bench:
    def __init__(self, service: Service) -> None:
        self.service = service
        self.started: Started | None = None

    def on_started(self, started: Started) -> None:
        self.started = started
        started.process.alert_latency = KeptHistogram(started.process.alert_latency.bounds)

    async def obey(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().split():
            seconds = float(line[1]) if len(line) > 1 else 0.0
            match line[0]:
                case "ready":
                    answer = await self.ready()
                case "latency":
                    answer = await self.latency(seconds)
                case "cpu":
                    answer = await self.cpu(seconds)
                case "alerts":
                    answer = await self.alerts(seconds)
                case _:
                    break
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        self.service.stop()

    async def ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            view = self.started.hub.view if self.started is not None else None
            if view is not None and view.markets and all(market.verified for market in view.markets):
                break
            await asyncio.sleep(POLL_SECONDS)
        assert self.started is not None
        markets = self.started.hub.view.markets
        left = [f"{m.venue}:{m.market} {m.reason}" for m in markets if not m.verified]
        compilations = self.started.process.jit_compilations
        assert compilations is not None
        self.compiled_before = compilations.count
        return {"markets": len(markets), "unverified": left, "compilations_before_ready": self.compiled_before}

    async def latency(self, seconds: float) -> dict[str, Any]:
        TimedSink.ages = array("q")
        TimedSink.hub_ns, begun = 0, TimedSink.frames
        TimedSink.watching = True
        await asyncio.sleep(seconds)
        TimedSink.watching = False
        frames = TimedSink.frames - begun
        found = quantiles(TimedSink.ages, (0.5, 0.9, 0.99, 0.999, 1.0))
        return {
            "frames": len(TimedSink.ages),
            "wire_to_state_ms": {name: value / 1e6 for name, value in found.items()},
            "sink_us_per_frame": TimedSink.hub_ns / frames / 1e3,
        }

    async def cpu(self, seconds: float) -> dict[str, Any]:
        began, cpu, frames = time.monotonic(), time.process_time(), TimedSink.frames
        await asyncio.sleep(seconds)
        took, spent, frames = time.monotonic() - began, time.process_time() - cpu, TimedSink.frames - frames
        assert self.started is not None
        compilations = self.started.process.jit_compilations
        assert compilations is not None
        states = self.started.hub.states.values()
        text = await asyncio.to_thread(_metrics, self.started.http_url)
        return {
            "frames_per_second": frames / took,
            "cpu_us_per_frame": spent / frames * 1e6,
            "cpu_share": spent / took,
            "rss_mb": _rss_mb(),
            "markets_verified": sum(market.verified for market in self.started.hub.view.markets),
            "compilations_after_ready": compilations.count - self.compiled_before,
            "fallback_frames": sum(
                counts.get("fallback_frames", 0) for state in states for counts in state.view().channels.values()
            ),
            "reconnects": sum(sum(state.view().reconnects.values()) for state in states),
            "metrics_bytes": len(text),
        }

    async def alerts(self, seconds: float) -> dict[str, Any]:
        TimedSink.liquidation_ages = array("q")
        KeptHistogram.kept = array("q")
        TimedSink.watching = True
        await asyncio.sleep(seconds)
        TimedSink.watching = False
        wire = quantiles(TimedSink.liquidation_ages, (0.5, 0.99, 1.0))
        acked = quantiles(KeptHistogram.kept, (0.5, 0.99, 1.0))
        return {
            "alerts": len(KeptHistogram.kept),
            "prints": len(TimedSink.liquidation_ages),
            "wire_to_state_ms": {name: value / 1e6 for name, value in wire.items()},
            "received_to_acknowledged_ms": {name: value / 1e6 for name, value in acked.items()},
        }


def _metrics(url: str) -> bytes:
    with urllib.request.urlopen(f"{url}/metrics") as reply:
        text: bytes = reply.read()
    return text


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def main(order: dict[str, Any]) -> None:
    settings = load_settings([Path(order["settings"])])
    service_module.Sink = TimedSink  # type: ignore[misc]
    bench: Bench | None = None

    def on_started(started: Started) -> None:
        assert bench is not None
        bench.on_started(started)

    service = Service(settings, on_started=on_started)
    bench = Bench(service)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(service.run())
        tasks.create_task(bench.obey())


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    place(asked["core"])
    logs.configure(level="error")
    uvloop.run(main(asked))
