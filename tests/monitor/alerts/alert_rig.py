"""Real Mosquitto on free ports, real clients, real files. Nothing here is a mock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import orjson
import pytest
from paho.mqtt.properties import Properties

from monitor.alerts.broker import BrokerOptions
from monitor.alerts.embedded_broker import find_mosquitto, free_port
from monitor.alerts.mqtt import MqttPublisher
from monitor.alerts.outbox import Outbox
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.topics import Topics
from monitor.state import StateStore

INSTANCE = "test-1"
PREFIX = "undertow/v1"


def mosquitto_binary() -> str:
    found = find_mosquitto()
    if found is None:
        pytest.skip("mosquitto is not installed")
    return found


@dataclass
class Broker:
    """One Mosquitto that can be killed and started again on the same port."""

    folder: Path
    port: int = field(default_factory=lambda: free_port("127.0.0.1", 0))
    extra: tuple[str, ...] = ("allow_anonymous true",)
    listener_extra: tuple[str, ...] = ()
    persistence: bool = False
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", *self.listener_extra, *self.extra, "log_type error"]
        if os.geteuid() == 0:
            lines.append("user root")
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/", "autosave_interval 1"]
        config = self.folder / "broker.conf"
        config.write_text("\n".join(lines) + "\n")
        self.process = subprocess.Popen(
            [mosquitto_binary(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
                return self
            assert self.process.poll() is None, "mosquitto ended at once"
            time.sleep(0.01)
        raise AssertionError("mosquitto did not come up")

    def kill(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None


@dataclass
class Heard:
    topic: str
    body: bytes
    retained: bool
    qos: int
    properties: Properties | None

    @property
    def json(self) -> dict[str, object]:
        return orjson.loads(self.body)


class Listener:
    """A subscriber to everything that keeps what it hears, and can wait for a condition on it."""

    def __init__(self, port: int, **options: object) -> None:
        self.heard: list[Heard] = []
        self._port = port
        self._options = options
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Listener:
        self._task = asyncio.create_task(self._listen())
        await asyncio.wait_for(self._ready.wait(), 10)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await self._task

    async def _listen(self) -> None:
        async with aiomqtt.Client(
            "127.0.0.1",
            self._port,
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=3,
            **self._options,  # type: ignore[arg-type]
        ) as client:
            await client.subscribe("#", qos=1)
            self._ready.set()
            async for message in client.messages:
                async with self._changed:
                    self.heard.append(
                        Heard(
                            message.topic.value, bytes(message.payload), message.retain, message.qos, message.properties
                        )
                    )
                    self._changed.notify_all()

    async def until(self, condition: Callable[[list[Heard]], bool], seconds: float = 15.0) -> list[Heard]:
        async def wait() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: condition(self.heard))

        await asyncio.wait_for(wait(), seconds)
        return self.heard

    def of(self, topic: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.topic == f"{PREFIX}/{topic}"]


async def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for a condition of the program under test, without guessing how long it takes."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not come true in time"
        await asyncio.sleep(0.005)


@dataclass
class Rig:
    """Everything between the engine and a broker."""

    store: StateStore
    topics: Topics
    outbox: Outbox
    board: RetainedBoard
    publisher: MqttPublisher
    latencies: list[tuple[int, int]]
    task: asyncio.Task[None] | None = None

    def start(self) -> Rig:
        self.task = asyncio.create_task(self.publisher.run())
        return self


def quick(port: int, **changes: object) -> BrokerOptions:
    """Options with short pauses, so that tests do not wait."""
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "port": port,
        "instance": INSTANCE,
        "prefix": PREFIX,
        "backoff_first_seconds": 0.05,
        "backoff_ceiling_seconds": 0.2,
        "refusal_backoff_ceiling_seconds": 0.2,
        "connect_timeout_seconds": 1.0,
        "publish_timeout_seconds": 1.0,
        "refused_retry_seconds": 1.0,
    }
    return BrokerOptions(**{**values, **changes})  # type: ignore[arg-type]


MakeRig = Callable[..., Rig]
