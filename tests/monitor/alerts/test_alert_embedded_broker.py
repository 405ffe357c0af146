"""The Mosquitto child: its port, its restarts, its death with its parent, and what happens without the binary."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from alert_rig import PREFIX, Listener, MakeRig, eventually, mosquitto_binary, quick
from structlog.testing import capture_logs

from monitor.alerts import embedded_broker
from monitor.alerts.embedded_broker import EmbeddedBroker, free_port
from monitor.errors import BrokerError, SettingsError

HERE = Path(__file__).parent


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_it_starts_restarts_with_its_retained_messages_and_stops(tmp_path: Path, make_rig: MakeRig) -> None:
    mosquitto_binary()
    broker = EmbeddedBroker("127.0.0.1:0", tmp_path / "broker")
    options = await broker.start("test-1", PREFIX)
    assert options is not None
    running = asyncio.create_task(broker.run())
    rig = make_rig(quick(options.port)).start()
    await eventually(lambda: rig.publisher.connected)
    first = broker.pid
    assert first is not None
    with capture_logs() as logs:
        os.kill(first, signal.SIGKILL)
        await eventually(lambda: broker.restarts == 1)
        await eventually(lambda: rig.publisher.connects == 2)
    assert len([log for log in logs if "died" in log["event"]]) == 1
    assert broker.port == options.port
    assert broker.pid != first
    async with Listener(options.port) as listener:
        await listener.until(lambda heard: any(h.body == b"online" for h in heard))
    await rig.publisher.stop()
    await broker.stop()
    await asyncio.wait_for(running, 5)
    assert broker.pid is None


async def test_a_taken_port_gives_another_and_says_so(tmp_path: Path) -> None:
    mosquitto_binary()
    with socket.socket() as taken, capture_logs() as logs:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        broker = EmbeddedBroker(f"127.0.0.1:{port}", tmp_path)
        options = await broker.start("test-1", PREFIX)
        assert options is not None
        assert options.port != port
        assert [log["wanted"] for log in logs if "elsewhere" in log["event"]] == [port]
        await broker.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_it_dies_with_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    mosquitto_binary()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "embedded_process.py"), str(tmp_path), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    line = b""
    while not line.startswith(b"BROKER"):
        line = await asyncio.wait_for(process.stdout.readline(), 20)
    pid, port = map(int, line.split()[1:])
    assert alive(pid)
    process.send_signal(how)
    await process.wait()
    await eventually(lambda: not alive(pid))
    assert free_port("127.0.0.1", port) == port


async def test_without_the_binary_it_is_off_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_broker, "PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with capture_logs() as logs:
        broker = EmbeddedBroker("127.0.0.1:0", tmp_path)
        assert await broker.start("test-1", PREFIX) is None
        await broker.run()
        await broker.stop()
    assert len(logs) == 1
    assert "apt-get install mosquitto" in logs[0]["event"]


async def test_one_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho 'no room in the boat' >&2\nexit 3\n")
    script.chmod(0o755)
    broker = EmbeddedBroker("127.0.0.1:0", tmp_path, binary=str(script))
    with pytest.raises(BrokerError, match="no room in the boat"):
        await broker.start("test-1", PREFIX)


@pytest.mark.parametrize("listen", ["0.0.0.0:1883", "10.0.0.1:1883", "127.0.0.1:x", "[::]:1883"])
def test_only_loopback(listen: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="embedded_listen"):
        EmbeddedBroker(listen, tmp_path)
