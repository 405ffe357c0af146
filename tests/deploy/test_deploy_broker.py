"""The broker of the compose file, with its real configuration, ACL and first start, as a real Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from monitor.alerts.embedded_broker import find_mosquitto

DEPLOY = Path(__file__).parents[2] / "deploy"
BINARY = find_mosquitto()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def first_start(auth: Path) -> None:
    mine = dict.fromkeys(("MOSQUITTO_UID", "UNDERTOW_UID", "GRAFANA_UID"), str(os.getuid()))
    script = DEPLOY / "mosquitto" / "first-start.sh"
    subprocess.run(["sh", str(script)], env={**os.environ, **mine, "AUTH": str(auth)}, check=True)


class Broker:
    """Mosquitto with the compose file's configuration, its container's paths replaced by ours."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.auth = folder / "auth"
        (folder / "data").mkdir()
        first_start(self.auth)
        text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
        for container, here in {
            "listener 1883\n": f"listener {self.port} 127.0.0.1\n",
            "/auth/": f"{self.auth}/",
            "/mosquitto/config/": f"{DEPLOY / 'mosquitto'}/",
            "/mosquitto/data/": f"{folder / 'data'}/",
        }.items():
            assert container in text
            text = text.replace(container, here)
        self.config = folder / "mosquitto.conf"
        self.config.write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        assert BINARY is not None
        self.process = await asyncio.create_subprocess_exec(
            BINARY, "-c", str(self.config), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while True:
                assert self.process.returncode is None, "Mosquitto refuses the configuration"
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def client(self, user: str | None, password: str | None = None) -> aiomqtt.Client:
        if user is not None and password is None:
            password = (self.auth / f"{user}.password").read_text()
        return aiomqtt.Client(
            "127.0.0.1", self.port, username=user, password=password, protocol=aiomqtt.ProtocolVersion.V5, timeout=5
        )


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    if BINARY is None or shutil.which("mosquitto_passwd") is None:
        pytest.fail("Mosquitto is needed: apt-get install mosquitto")
    made = Broker(tmp_path)
    await made.start()
    yield made
    await made.kill()


async def heard(client: aiomqtt.Client, last: str) -> list[str]:
    """Topics in the order they came, up to the one that ends the test."""
    found: list[str] = []
    async with asyncio.timeout(10):
        async for message in client.messages:
            if message.topic.value == last:
                break
            found.append(message.topic.value)
    return found


async def test_nobody_comes_in_without_the_right_password(broker: Broker) -> None:
    for user, password in ((None, None), ("undertow", "wrong"), ("reader", ""), ("grafana", "x")):
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            async with broker.client(user, password):
                pass


async def test_the_service_writes_its_tree_and_a_reader_only_reads(broker: Broker) -> None:
    end = "undertow/v1/regimes/END"
    async with broker.client("undertow") as service, broker.client("reader") as reader:
        await reader.subscribe("#", qos=1)
        await service.subscribe("undertow/v1/#", qos=1)
        await reader.publish("undertow/v1/alerts/BTC/forged/all", b"x", qos=1)
        await reader.publish("undertow/v1/open/BTC/forged/all", b"x", qos=1, retain=True)
        await reader.publish("elsewhere", b"x", qos=1)
        await service.publish("elsewhere", b"x", qos=1)
        await service.publish("undertow/v2/x", b"x", qos=1)
        await service.publish("undertow/v1/alerts/BTC/liquidation_burst/long", b"{}", qos=1)
        await service.publish("undertow/v1/instances/a/availability", b"online", qos=1)
        await service.publish(end, b"{}", qos=1)
        assert await heard(reader, end) == [
            "undertow/v1/alerts/BTC/liquidation_burst/long",
            "undertow/v1/instances/a/availability",
        ]
        # The service reads who is online, and nothing else of its own tree.
        await service.publish("undertow/v1/instances/b/availability", b"online", qos=1)
        assert await heard(service, "undertow/v1/instances/b/availability") == ["undertow/v1/instances/a/availability"]
    async with broker.client("reader") as reader:  # what the health check asks
        await reader.subscribe("$SYS/broker/version")
        assert await heard(reader, "$SYS/broker/version") == []


async def test_retained_state_survives_a_kill(broker: Broker) -> None:
    topic = "undertow/v1/open/BTC/depth_drought/all"
    async with broker.client("undertow") as service:
        await service.publish(topic, b"{}", qos=1, retain=True)
    store = broker.folder / "data" / "mosquitto.db"
    async with asyncio.timeout(10):
        while not (store.exists() and topic.encode() in store.read_bytes()):  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.05)
    await broker.kill()
    await broker.start()
    async with broker.client("reader") as reader:
        await reader.subscribe("undertow/v1/open/#", qos=1)
        assert await heard(reader, topic) == []


def test_passwords_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    auth = tmp_path / "auth"
    first_start(auth)
    files = sorted(path.name for path in auth.iterdir())
    assert files == ["grafana.password", "passwd", "reader.password", "undertow.password"]
    before = {path.name: path.read_bytes() for path in auth.iterdir()}
    passwords = {before[f"{user}.password"] for user in ("undertow", "reader", "grafana")}
    assert len(passwords) == 3
    assert all(len(password) == 32 and b"\n" not in password for password in passwords)
    assert not any(password in before["passwd"] for password in passwords)  # hashed
    modes = {path.name: path.stat().st_mode & 0o777 for path in auth.iterdir()}
    assert modes == {name: 0o600 if name == "passwd" else 0o400 for name in files}
    first_start(auth)
    assert {path.name: path.read_bytes() for path in auth.iterdir()} == before
