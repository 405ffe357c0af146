"""The demo itself: a child with the venues, the service on them, a temporary folder, and lines on the terminal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from monitor.alerts.embedded_broker import free_port
from monitor.alerts.payloads import AlertPayload
from monitor.cli.addresses import reachable
from monitor.cli.alert_line import alert_line
from monitor.cli.console import out
from monitor.cli.loading import loading
from monitor.config import Settings, load_settings
from monitor.config.values import split_listen
from monitor.errors import UndertowError

if TYPE_CHECKING:
    from monitor.service.service import Service, Started
    from monitor.views import ServiceView

SETTINGS: Final = Path(__file__).with_name("demo.toml")
LISTEN_VARIABLES: Final = ("UNDERTOW__HTTP__LISTEN", "UNDERTOW__MQTT__EMBEDDED_LISTEN")
CHILD_PATIENCE: Final = 5.0  # seconds for the venues' process to end by itself


@dataclass(frozen=True, slots=True)
class DemoOrder:
    scenario: str
    speed: float
    seconds: float | None
    seed: int
    venues: str | None = None  # as given on the command line
    assets: str | None = None


class _Screen:
    """What the demo says. All lines go to stdout, one each."""

    def __init__(self, order: DemoOrder, control: str) -> None:
        self._order = order
        self._control = control
        self._console = out()
        self._began = time.monotonic()
        self._verified = False
        self._gone = False
        self._stop: Callable[[], None] = lambda: None
        self.alerts = 0
        self.started = asyncio.Event()

    def bind(self, stop: Callable[[], None]) -> None:
        """What to do when nobody reads any more."""
        self._stop = stop

    def on_started(self, started: Started) -> None:
        order, http = self._order, reachable(started.http_url)
        self._say("scenario", f"{order.scenario}, seed {order.seed}, speed {order.speed:g}")
        self._say("page", f"{http}/")
        self._say("metrics", f"{http}/metrics")
        if started.mqtt_address:
            self._say("alerts", f"{started.mqtt_address} (undertow watch --url {started.mqtt_address})")
        else:
            self._say("alerts", "here and on the page; MQTT is off: install mosquitto to have a broker")
        self._say("faults", f"{self._control}/faults (GET lists them, POST orders one)")
        self._say("ends", "on Ctrl-C" if order.seconds is None else f"after {order.seconds:g} s, or on Ctrl-C")
        self.started.set()

    def on_alert(self, payload: AlertPayload) -> None:
        self.alerts += 1
        self._print(alert_line(asdict(payload)))

    def on_second(self, view: ServiceView) -> None:
        if self._verified or not view.markets or not all(market.verified for market in view.markets):
            return
        self._verified = True
        self._say("books", f"all {len(view.markets)} verified after {time.monotonic() - self._began:.1f} s")

    def _say(self, what: str, text: str) -> None:
        self._print(Text.assemble((f"{what:<9}", "dim"), text))

    def _print(self, text: Text) -> None:
        if self._gone:
            return
        try:
            self._console.print(text, soft_wrap=True)
            self._console.file.flush()
        except BrokenPipeError:  # `undertow demo | head`: this is called from inside the engine, so it must not fail
            self._gone = True
            self._stop()

    def farewell(self) -> None:
        transitions = "1 alert transition" if self.alerts == 1 else f"{self.alerts} alert transitions"
        self._say("ended", f"after {time.monotonic() - self._began:.0f} s, {transitions}")


async def run_demo(order: DemoOrder) -> None:
    """Until Ctrl-C, SIGTERM or `seconds`.

    Raises:
        UndertowError: the venues' process ended.
        SettingsError: a variable of ours is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="undertow-demo-") as folder:
        async with _venues(order) as child:
            # Imported while the venues start: the kernels take seconds to load.
            with loading():
                from monitor.service.service import Service
            origins, control = await _listening(child)
            screen = _Screen(order, control)
            service = Service(
                _settings(Path(folder), origins),
                on_alert=screen.on_alert,
                on_started=screen.on_started,
                on_second=screen.on_second,
            )
            screen.bind(service.stop)
            async with asyncio.TaskGroup() as tasks:
                watcher = tasks.create_task(_watch(child, service), name="demo-venues")
                timer = tasks.create_task(_end_after(order.seconds, screen.started, service), name="demo-end")
                await service.run()
                watcher.cancel()
                timer.cancel()
    screen.farewell()


@asynccontextmanager
async def _venues(order: DemoOrder) -> AsyncIterator[Process]:
    """The child. In a session of its own, so that Ctrl-C on the terminal reaches the service alone."""
    names = ("scenario", "seed", "speed", "venues", "assets")
    wanted = {name: getattr(order, name) for name in names}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "monitor.cli.demo_venues", json.dumps(wanted)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdin is not None
    try:
        yield child
    finally:
        child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), CHILD_PATIENCE)
        except TimeoutError:
            child.kill()
            await child.wait()


async def _listening(child: Process) -> tuple[str, str]:
    """Settings that point at the venues, and the address of their faults."""
    assert child.stdout is not None
    first = await child.stdout.readline()
    if not first:
        raise UndertowError("the simulated venues did not start; the line above says why")
    said = json.loads(first)
    return said["settings"], said["control"]


async def _watch(child: Process, service: Service) -> None:
    code = await child.wait()
    service.stop()
    raise UndertowError(f"the simulated venues ended with code {code}")


async def _end_after(seconds: float | None, started: asyncio.Event, service: Service) -> None:
    await started.wait()
    if seconds is not None:
        await asyncio.sleep(seconds)
        service.stop()


def _settings(folder: Path, venues: str) -> Settings:
    """The demo's own settings on the simulated venues. Of the user's, only where to listen counts (a container sets it)."""
    path = folder / "venues.toml"
    path.write_text(venues, encoding="utf-8")
    users = load_settings((), {k: v for k, v in os.environ.items() if k.upper() in LISTEN_VARIABLES})
    host, port = split_listen(users.http.listen)
    with suppress(UndertowError):  # an address this machine does not have: the server says so
        port = free_port(host.strip("[]"), port)
    return load_settings(
        (SETTINGS, path),
        {
            "UNDERTOW__STATE__PATH": str(folder / "state" / "undertow.sqlite"),
            "UNDERTOW__HTTP__LISTEN": f"{host}:{port}",
            "UNDERTOW__MQTT__EMBEDDED_LISTEN": users.mqtt.embedded_listen,
        },
    )
