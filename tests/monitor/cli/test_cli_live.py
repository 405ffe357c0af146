"""simulate, record, run and demo as a user starts them: real processes, real sockets, a real broker."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest
from cli_rig import COMMAND, Run, Running, environment, undertow

from monitor.capture.recording_set import RecordingSet
from monitor.capture.replay import replay
from monitor.cli.loading import TEXT as COMPILING
from monitor.config import load_settings
from monitor.events import FrameReceived

Start = Callable[..., Running]


@pytest.fixture
def venues(start: Start, tmp_path: Path) -> Running:
    """Simulated venues, and their settings in sim.toml."""
    running = start("simulate", "--scenario", "calm", "--speed", "2", "--write-config", "sim.toml")
    running.wait_for("^settings")
    return running


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, reply.read()
    except HTTPError as error:
        return error.code, error.read()


def children_of(running: Running) -> dict[int, str]:
    """Process id -> command line."""
    tasks = Path(f"/proc/{running.process.pid}/task").iterdir()
    pids = [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in pids}


# -- simulate
def test_simulate_says_where_and_takes_faults(venues: Running, tmp_path: Path) -> None:
    settings = load_settings([tmp_path / "sim.toml"], {})
    assert list(settings.venues) == ["binance_usdm", "bybit_linear", "okx_swap"]
    origins = {venue.ws_origin for venue in settings.venues.values()}
    assert len(origins) == 3, "one port a venue"
    for origin in origins:
        assert any(str(origin) in line for line in venues.lines)
    faults = next(line.split()[1] for line in venues.lines if line.startswith("faults"))
    status, body = get(faults)
    assert status == 200
    assert "gap" in json.loads(body)["kinds"]
    venues.ask(signal.SIGTERM)
    assert venues.end() == 0


def test_simulate_serves_a_recording_that_record_takes(start: Start, recording: Path, run: Run, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        first = min(probe.getsockname()[1], 65_000)
    served = start("simulate", "--recording", recording, "--listen", f"127.0.0.1:{first}", "--write-config", "sim.toml")
    served.wait_for("^settings")
    assert load_settings([tmp_path / "sim.toml"], {}).venues["binance_usdm"].ws_origin == f"ws://127.0.0.1:{first}"
    code, _, err = run("record", "-c", "sim.toml", "--out", "out", "--seconds", "1.5")
    assert code == 0, err
    frames = [e.data for e in RecordingSet.open([tmp_path / "out"]).events() if isinstance(e, FrameReceived)]
    assert any(b'"e":"depthUpdate"' in frame for frame in frames)
    served.ask(signal.SIGINT)
    assert served.end() == 0


def test_a_port_that_is_taken_is_one_line(start: Start, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = undertow("simulate", "--scenario", "calm", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 2
    assert re.fullmatch(r"undertow: the simulated venues cannot listen on 127\.0\.0\.1: .*in use.*\n", done.stderr)


# -- record
def verified_in(path: Path) -> set[str]:
    """The markets whose books could be read at the end of some second of a replay (at the very end nothing is connected)."""
    found: set[str] = set()
    replay(
        [path],
        load_settings([], {}),
        on_second=lambda view: found.update(f"{m.venue}:{m.market}" for m in view.markets if m.verified),
    )
    return found


def test_record_keeps_what_a_replay_needs(venues: Running, run: Run, tmp_path: Path) -> None:
    code, _, err = run("record", "-c", "sim.toml", "--out", "captures", "--seconds", "2.5")
    assert code == 0
    assert re.search(r"recorded [\d,]+ events, [\d.]+ MB in 1 files", err)
    assert {path.name for path in tmp_path.iterdir()} == {"sim.toml", "captures"}, "no state, no broker"
    assert len(verified_in(tmp_path / "captures")) == 6


def test_every_file_of_a_recording_gets_snapshots_of_its_own(start: Start, tmp_path: Path) -> None:
    """Under a small cap files are small too: Binance's books can be read from a middle one alone."""
    start("simulate", "--scenario", "calm", "--speed", "8", "--write-config", "sim.toml").wait_for("^settings")
    (tmp_path / "small.toml").write_text("[recording]\nmax_total_gib = 0.0005\n")
    recorder = start("record", "-c", "sim.toml", "-c", "small.toml", "--out", "captures")
    recorder.wait_for("recording_deleted")  # so there were several
    recorder.ask(signal.SIGTERM)
    assert recorder.end() == 0
    files = sorted((tmp_path / "captures").glob("*.mcap"))
    assert len(files) > 3
    assert sum(file.stat().st_size for file in files) < 0.0005 * 2**30
    assert any({"binance_usdm:BTCUSDT", "binance_usdm:ETHUSDT"} <= verified_in(file) for file in files[1:-1])


def test_record_into_a_folder_that_cannot_be(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("UNDERTOW__VENUES__OKX_SWAP__SYMBOLS", "BTC-USDT-SWAP")
    code, _, err = run("record", "--out", "file/captures")
    assert code == 1
    assert err.startswith("undertow: cannot record into file/captures: ")


# -- run
def test_run_until_asked_to_stop(venues: Running, start: Start, tmp_path: Path) -> None:
    service = start("run", "-c", "sim.toml", "--log-format", "json")
    running = json.loads(service.wait_for('{.*"event":"running".*')[0])
    watcher = start("watch", "--url", running["mqtt"])
    watcher.wait_for("BTC regime normal")
    assert get(f"{running['http']}/readyz")[0] == 200
    watcher.ask(signal.SIGTERM)
    assert watcher.end() == 0
    service.ask(signal.SIGTERM)
    assert service.end() == 0
    assert [json.loads(line)["event"] for line in service.lines][-1] == "stopped"
    assert (tmp_path / "state" / "undertow.sqlite").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_while_it_starts_is_a_clean_stop(number: signal.Signals, start: Start) -> None:
    env = environment(
        UNDERTOW__VENUES__OKX_SWAP__SYMBOLS="BTC-USDT-SWAP",
        UNDERTOW__VENUES__OKX_SWAP__REST_ORIGIN="http://127.0.0.1:1",
    )
    service = start("run", env=env)
    service.wait_for("starting")
    service.ask(number)
    assert service.end() == 0
    assert "Traceback" not in service.text


ASKED_WHILE_A_FILE_IS_READ = """
import os, signal, typer
from monitor.cli.loop import stoppable

def read():
    file = open(os.devnull, "rb")
    os.kill(os.getpid(), signal.SIGTERM)
    file.close()

try:
    with stoppable():
        read()
except typer.Exit as end:
    print("asked", end.exit_code)
"""


def test_asked_to_stop_while_a_module_is_read_says_nothing_of_the_file() -> None:
    """As Python's own reader of modules is cut short, which no test can time."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", ASKED_WHILE_A_FILE_IS_READ], capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("asked 0\n", "")


def test_without_a_network_it_stays_up_says_so_calmly_and_stops_cleanly(start: Start) -> None:
    env = environment(
        UNDERTOW__VENUES__OKX_SWAP__SYMBOLS="BTC-USDT-SWAP",
        UNDERTOW__VENUES__OKX_SWAP__REST_ORIGIN="http://127.0.0.1:1",
        UNDERTOW__VENUES__OKX_SWAP__WS_ORIGIN="ws://127.0.0.1:1",
    )
    service = start("run", env=env)
    address = service.wait_for(r"running.*http=(http://\S+)")[1]
    service.wait_for("okx_swap")
    assert get(f"{address}/readyz")[0] == 503
    assert get(f"{address}/livez")[0] == 200
    service.ask(signal.SIGTERM)
    assert service.end() == 0
    assert "Traceback" not in service.text
    assert sum("okx_swap" in line and "warning" in line for line in service.lines) <= 2


def test_run_where_the_port_is_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        for name, value in environment(
            UNDERTOW__HTTP__LISTEN=listen, UNDERTOW__VENUES__OKX_SWAP__SYMBOLS="BTC-USDT-SWAP"
        ).items():
            monkeypatch.setenv(name, value)
        code, _, err = run("run", "--log-level", "error")
    assert code == 2
    assert err.startswith(f"undertow: http.listen {listen}: the port is in use")
    assert err.count("\n") == 1


# -- demo
def test_demo_shows_alerts_and_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    """At eight times the pace the cascade comes within seconds. The user's broker and state are not touched."""
    env = environment(
        UNDERTOW__MQTT__URL="mqtt://127.0.0.1:1", UNDERTOW__STATE__PATH=str(tmp_path / "mine.sqlite")
    )  # fmt: skip
    demo = start("demo", "--speed", "8", "--seed", "3", env=env)
    page = demo.wait_for(r"^page +(http://\S+)/$")[1]
    broker = demo.wait_for(r"^alerts +(mqtt://\S+)")[1]
    faults = demo.wait_for(r"^faults +(http://\S+)")[1]
    demo.wait_for("all 6 verified")
    assert get(f"{page}/readyz")[0] == 200
    assert get(faults)[0] == 200
    watcher = start("watch", "--url", broker, "--json")
    demo.wait_for(r"^\d\d:\d\d:\d\d (watch|warning|critical) +(BTC|ETH) +liquidation_burst/long opened: ")
    watcher.wait_for("liquidation_burst")
    demo.ask(signal.SIGINT)
    assert demo.end() == 0
    assert re.fullmatch(r"ended +after \d+ s, \d+ alert transitions?", demo.lines[-1])
    assert not list(tmp_path.iterdir()), "the temporary folder is gone, and nothing else was made"
    assert "Traceback" not in demo.text


def test_demo_ends_after_so_many_seconds(start: Start) -> None:
    demo = start("demo", "--scenario", "calm", "--seconds", "0.5")
    demo.wait_for("ends +after 0.5 s")
    assert demo.end() == 0


def test_demo_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "demo", "--speed", "8", "--seed", "3"], cwd=tmp_path, env={**environment(), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    assert demo.stdout.readline().startswith("scenario")
    demo.stdout.close()
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert err.removeprefix(f"{COMPILING}\n") == ""
    assert not list(tmp_path.iterdir())


def test_what_the_demo_started_dies_with_it(start: Start) -> None:
    demo = start("demo", "--scenario", "calm")
    demo.wait_for("all 6 verified")
    children = children_of(demo)
    for name in ("demo_venues", "mosquitto"):
        assert sum(name in command for command in children.values()) == 1
    watched = {pid: os.pidfd_open(pid) for pid in children}
    demo.ask(signal.SIGKILL)
    demo.end()
    for pid, handle in watched.items():
        ended, _, _ = select.select([handle], [], [], 30)
        os.close(handle)
        assert ended, children[pid]


def test_venues_that_die_end_the_demo_with_a_reason(start: Start) -> None:
    demo = start("demo", "--scenario", "calm")
    demo.wait_for("all 6 verified")
    (venues,) = [pid for pid, command in children_of(demo).items() if "demo_venues" in command]
    os.kill(venues, signal.SIGKILL)
    assert demo.end() == 1
    assert "undertow: the simulated venues ended with code -9" in demo.lines
    assert "Traceback" not in demo.text
