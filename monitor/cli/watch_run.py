"""The watcher's connection: subscribe, hand messages to the board, come back when the broker does."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiomqtt
import orjson
from rich.live import Live

from monitor.alerts.broker import BrokerOptions
from monitor.alerts.client import BAD_CREDENTIALS
from monitor.cli.console import err, out
from monitor.cli.loop import stop_event
from monitor.cli.watch_board import Board, filters
from monitor.errors import BrokerError

PAUSES: Final = (0.5, 1.0, 2.0, 5.0, 10.0)  # between attempts to reach the broker
DRAW_SECONDS: Final = 0.5
MAX_WAITING: Final = 10_000  # messages received and not yet shown


async def run_watch(broker: BrokerOptions, *, as_json: bool) -> None:
    """Until Ctrl-C or SIGTERM.

    Raises:
        BrokerError: it refuses us, or a password or certificate file cannot be read. A broker that is away is waited for.
    """
    watcher = _Watcher(broker, as_json)
    stopping = stop_event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watcher.run(), name="watch")
        asked = tasks.create_task(stopping.wait(), name="stop")
        await asyncio.wait((running, asked), return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        asked.cancel()


class _Watcher:
    def __init__(self, broker: BrokerOptions, as_json: bool) -> None:
        self._broker = broker
        self._as_json = as_json
        self._board = Board(broker.prefix)
        self._console = out()
        self._heading = f"{broker.address}: connecting"
        self._said = ""

    async def run(self) -> None:
        async with self._drawn():
            attempt = 0
            while True:
                try:
                    async with self._client() as client:
                        for name in filters(self._broker.prefix):
                            await client.subscribe(name, qos=1)
                        attempt = 0
                        self._state("connected")
                        await self._take(client)
                except aiomqtt.MqttError as error:
                    self._board.forget()
                    self._refuse(error)
                    self._state("waiting for the broker", f" ({' '.join(str(error).split())})")
                await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
                attempt += 1

    def _client(self) -> aiomqtt.Client:
        broker = self._broker
        try:
            password, context = broker.read_password(), broker.tls_context()
        except (OSError, UnicodeDecodeError, ssl.SSLError) as error:
            raise BrokerError(f"{broker.address}: a password or certificate file cannot be read: {error}") from None
        return aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=password,
            identifier=f"undertow-watch-{secrets.token_hex(6)}",
            protocol=aiomqtt.ProtocolVersion.V5,
            timeout=broker.connect_timeout_seconds,
            keepalive=broker.keepalive_seconds,
            tls_context=context,
            max_queued_incoming_messages=MAX_WAITING,
        )

    async def _take(self, client: aiomqtt.Client) -> None:
        loop = asyncio.get_running_loop()
        async for message in client.messages:
            body = message.payload if isinstance(message.payload, bytes) else b""
            shown = self._board.take(message.topic.value, body, loop.time())
            if shown is None:
                continue
            text, payload = shown
            if self._as_json:
                sys.stdout.write(orjson.dumps({"topic": message.topic.value, "payload": payload}).decode() + "\n")
                sys.stdout.flush()
            else:
                self._console.print(text, soft_wrap=True)
                self._console.file.flush()

    def _refuse(self, error: aiomqtt.MqttError) -> None:
        """A broker that says no will say no again."""
        code: Any = getattr(error, "rc", None)
        value = getattr(code, "value", code)
        if value in BAD_CREDENTIALS:
            raise BrokerError(
                f"{self._broker.address} refuses us ({code}): check mqtt.username and mqtt.password_file"
            ) from None

    def _state(self, state: str, why: str = "") -> None:
        self._heading = f"{self._broker.address}: {state}{why}"
        if state != self._said:
            self._said = state
            if not self._console.is_terminal:
                err().print(self._heading, soft_wrap=True)

    @asynccontextmanager
    async def _drawn(self) -> AsyncIterator[None]:
        """The living table, on a terminal."""
        if self._as_json or not self._console.is_terminal:
            yield
            return
        loop = asyncio.get_running_loop()
        with Live(console=self._console, auto_refresh=False, transient=True) as live:

            async def draw() -> None:
                while True:
                    self._board.expire(loop.time())
                    live.update(self._board.table(self._heading), refresh=True)
                    await asyncio.sleep(DRAW_SECONDS)

            drawing = asyncio.create_task(draw(), name="draw")
            try:
                yield
            finally:
                drawing.cancel()
                with suppress(asyncio.CancelledError):
                    await drawing
