"""Fixtures of the alert tests: real Mosquitto on free ports, real certificates, a real state file."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from alert_rig import Broker, MakeRig, Rig

from monitor.alerts.broker import BrokerOptions
from monitor.alerts.mqtt import MqttPublisher
from monitor.alerts.outbox import Outbox
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.topics import Topics
from monitor.clock import Clock
from monitor.state import StateStore


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., Broker]]:
    made: list[Broker] = []

    def make(**options: object) -> Broker:
        broker = Broker(tmp_path / f"broker{len(made)}", **options)  # type: ignore[arg-type]
        made.append(broker)
        return broker.start()

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def broker(make_broker: Callable[..., Broker]) -> Broker:
    return make_broker()


@pytest.fixture
async def make_rig(tmp_path: Path) -> AsyncIterator[MakeRig]:
    rigs: list[Rig] = []

    def make(options: BrokerOptions, name: str = "state.sqlite", limit: int = 100_000) -> Rig:
        store = StateStore.open(tmp_path / name)
        topics = Topics(options.prefix, options.instance)
        outbox = Outbox(store, topics, limit)
        outbox.load()
        board = RetainedBoard()
        latencies: list[tuple[int, int]] = []
        publisher = MqttPublisher(
            options, topics, outbox, board, Clock(), lambda received, acked: latencies.append((received, acked))
        )
        rig = Rig(store, topics, outbox, board, publisher, latencies)
        rigs.append(rig)
        return rig

    yield make
    for rig in rigs:
        if rig.task is not None and not rig.task.done():
            rig.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await rig.task
        rig.store.close()


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, server.pem/.key (localhost, 127.0.0.1), client.pem/.key, other-ca.pem."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    for name in ("ca", "other-ca"):
        run(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    (folder / "client.ext").write_text("extendedKeyUsage=clientAuth\n")
    for name in ("server", "client"):
        run("req", *key[:5], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        run(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem",
        )  # fmt: skip
    return folder
