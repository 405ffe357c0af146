"""The whole service under load: one core for it and its broker, another for the venues. Everything in processes of their own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.bench.figures import Figure

RATE: Final = 5_000.0
MARKETS: Final = 60
SERVICE_CORE, LOAD_CORE = 0, 1
BARE_SECONDS: Final = 6.0
LATENCY_SECONDS: Final = 15.0
CPU_SECONDS: Final = 15.0
ALERT_SECONDS: Final = 15.0
READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 20.0

# Bursts must come and go within seconds to come often.
SETTINGS: Final = """
[state]
path = "{folder}/state.sqlite"
[http]
listen = "127.0.0.1:{http}"
[mqtt]
embedded_listen = "127.0.0.1:0"
[alerts.liquidation_burst]
window_seconds = 5
ease_hold_seconds = 1
close_hold_seconds = 1
"""


class Child:
    """A process of the bench that answers in lines of JSON."""

    def __init__(self, module: str, **order: Any) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a process of the bench died: {self._process.args}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, line: str) -> dict[str, Any]:
        self.say(line)
        return self.answer()


def service_figures(note: Callable[[str], object]) -> tuple[list[Figure], dict[str, Any]]:
    """The figures, and everything that was measured."""
    with tempfile.TemporaryDirectory(prefix="undertow-bench-") as folder:
        raw: dict[str, Any] = {"rate": RATE, "markets": MARKETS}
        note("starting on the simulated venues")
        raw["start_to_ready_seconds"] = start_to_ready(Path(folder))
        with Child("load_venues", core=LOAD_CORE, rate=RATE, markets=MARKETS) as load:
            venues = load.answer()
            note("receiving alone")
            raw["recv"], raw["push"] = [], []
            _bare(venues, raw)
            note("the service under load")
            settings = Path(folder, "load.toml")
            settings.write_text(venues["settings"] + SETTINGS.format(folder=folder, http=0))
            with Child("timed_service", core=SERVICE_CORE, settings=str(settings)) as service:
                raw["ready"] = service.ask("ready")
                if raw["ready"]["unverified"]:
                    raise RuntimeError(f"books that did not come up: {raw['ready']['unverified'][:3]}")
                raw["latency"] = service.ask(f"latency {LATENCY_SECONDS}")
                raw["cpu"] = service.ask(f"cpu {CPU_SECONDS}")
                note("the service under load: alerts")
                load.say("burst on")
                raw["alerts"] = service.ask(f"alerts {ALERT_SECONDS}")
                load.say("burst off")
            note("receiving alone, again")
            _bare(venues, raw)
    return _figures(raw), raw


def _bare(venues: dict[str, Any], raw: dict[str, Any]) -> None:
    for kind in ("recv", "push"):
        with Child(
            "bare_clients",
            kind=kind,
            core=SERVICE_CORE,
            origins=venues["origins"],
            markets=MARKETS,
            seconds=BARE_SECONDS,
        ) as child:
            raw[kind].append(child.answer())


def _figures(raw: dict[str, Any]) -> list[Figure]:
    latency, cpu, alerts = raw["latency"], raw["cpu"], raw["alerts"]
    bare, bare_spread = _mean([run["cpu_us_per_frame"] for run in raw["recv"]])
    push, push_spread = _mean([run["cpu_us_per_frame"] for run in raw["push"]])
    own = cpu["cpu_us_per_frame"] - push
    raw["own_cpu_us_per_frame"] = own
    raw["own_over_bare"] = own / bare
    wire = latency["wire_to_state_ms"]
    acked = alerts["received_to_acknowledged_ms"]
    whole = alerts["wire_to_state_ms"]["p99"] + acked["p99"]
    return [
        Figure(
            "wire_to_state_p50", f"{RATE:,.0f} frames/s, {MARKETS} markets: wire to state, p50", wire["p50"], "ms", 1.0
        ),
        Figure("wire_to_state_p99", "wire to state, p99", wire["p99"], "ms", 5.0),
        Figure("wire_to_state_p999", "wire to state, p99.9", wire["p99.9"], "ms"),
        Figure("alert_ack_p50", "frame received to alert acknowledged, p50", acked["p50"], "ms"),
        Figure("wire_to_alert_ack_p99", f"wire to alert acknowledged, p99 of {alerts['alerts']}", whole, "ms", 50.0),
        Figure("bare_cpu", "bare websockets + uvloop loop, CPU a frame", bare, "us", spread=bare_spread),
        Figure("push_cpu", "our transport alone, CPU a frame", push, "us", spread=push_spread),
        Figure("service_cpu", "the whole service, CPU a frame", cpu["cpu_us_per_frame"], "us"),
        Figure("own_cpu", "of which our own code (goal: the bare loop)", own, "us", bare),
        Figure("own_over_bare", "our own code over the bare loop (wished: 0.5)", own / bare, "x", 1.0),
        Figure("cpu_share", "CPU share of its core", cpu["cpu_share"] * 100, "%"),
        Figure("rss", f"memory (RSS), {MARKETS} markets", cpu["rss_mb"], "MB", 300.0),
        Figure(
            "start_to_ready", "start to ready on the simulator, warm cache", raw["start_to_ready_seconds"], "s", 5.0
        ),
        Figure("compilations_after_ready", "compilations after ready", cpu["compilations_after_ready"], "", 0.0),
    ]


def _mean(values: list[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, (max(values) - min(values)) / mean


def start_to_ready(folder: Path) -> float:
    """Seconds from starting `undertow run` to the first 200 of /readyz; the second of two starts, so that the cache is warm."""
    with simulated_venues(folder) as config:
        settings = folder / "run.toml"
        port = _free_port()
        settings.write_text(config.read_text() + SETTINGS.format(folder=folder, http=port))
        return [_start(settings, port) for _ in range(2)][-1]


@contextmanager
def simulated_venues(folder: Path) -> Iterator[Path]:
    config = folder / "simulated.toml"
    command = [sys.executable, "-m", "monitor.cli", "simulate", "--scenario", "calm", "--listen", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--write-config", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not config.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the simulated venues did not start")
            time.sleep(0.02)
        yield config
    finally:
        process.terminate()
        process.wait()


def _start(settings: Path, port: int) -> float:
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "monitor.cli", "run", "-c", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _ready(port):
            if process.poll() is not None or time.monotonic() - begun > READY_WITHIN:
                raise RuntimeError("the service did not become ready")
            time.sleep(0.02)
        return time.monotonic() - begun
    finally:
        process.terminate()
        process.wait()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
