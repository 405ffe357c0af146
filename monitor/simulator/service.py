"""The simulated venues as one thing to start: `async with SimulatedVenues(scenario="cascade", seed=7) as sim: ...`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from monitor.clock import Clock
from monitor.errors import SettingsError
from monitor.simulator.control import ControlServer
from monitor.simulator.misbehaviour import Fault, Faults
from monitor.simulator.protocols.registry import PROTOCOLS, USUAL
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario as find_scenario
from monitor.simulator.server import VenueServer
from monitor.simulator.source import FrameSource, OutFrame
from monitor.simulator.specs import USUAL_ASSETS
from monitor.simulator.truth import WorldTruth

SECOND = 1_000_000_000
MAX_BEHIND = SECOND  # a simulator this far behind lets time go instead of racing after it
HOUSEKEEPING = SECOND // 20
SHORTEST_WAIT = (
    SECOND // 1000
)  # frames due within it go out together: at 5,000 a second one wake-up for each costs a core


class VenueHost:
    """Servers for some venues, one source, and the task that drives them. Scenario, recording and load all run in it.

    stepping: nothing moves until `step`; otherwise the source follows the clock.
    """

    def __init__(
        self,
        source: FrameSource,
        venues: Sequence[str],
        *,
        host: str = "127.0.0.1",
        stepping: bool = False,
        now: Callable[[], int] | None = None,
        ports: Mapping[str, int] | None = None,
        control_port: int = 0,
    ) -> None:
        self.source, self.host, self.stepping = source, host, stepping
        self._now = now or Clock().now
        self._ports, self._control_port = dict(ports or {}), control_port
        self.faults = Faults(self._now)
        self.faults.on_inject.append(self._strike)
        self.faults.on_end.append(self._relent)
        self.servers = {venue: VenueServer(PROTOCOLS[venue].front, source, self.faults, self._now) for venue in venues}
        self.control = ControlServer(self.faults, self.truth)
        self.elapsed_ns = 0
        self.time_lost_ns = 0  # how much the driver skipped because the machine was too slow
        self._driver: asyncio.Task[None] | None = None

    # -- life
    async def __aenter__(self) -> Self:
        try:
            for venue, server in self.servers.items():
                await server.start(self.host, self._ports.get(venue, 0))
            await self.control.start(self.host, self._control_port)
        except OSError as error:
            await self._stop()
            raise SettingsError(
                f"the simulated venues cannot listen on {self.host}: {error.strerror or error}"
            ) from error
        if not self.stepping:
            self._driver = asyncio.create_task(self._drive(), name="simulated venues")
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        failure = None
        if self._driver is not None and self._driver.done() and not self._driver.cancelled():
            failure = self._driver.exception()
        await self._stop()
        if failure is not None and kind is None:
            raise failure

    async def _stop(self) -> None:
        if self._driver is not None:
            self._driver.cancel()
            await asyncio.gather(self._driver, return_exceptions=True)
        await self.control.stop()
        for server in self.servers.values():
            await server.stop()

    async def wait(self) -> None:
        """Until the driver fails (which is raised here) or is cancelled."""
        if self._driver is not None:
            await self._driver

    # -- faces
    @property
    def origins(self) -> dict[str, dict[str, str]]:
        return {
            venue: {
                "ws_origin": f"ws://{self.host}:{server.port}",
                "rest_origin": f"http://{self.host}:{server.port}",
            }
            for venue, server in self.servers.items()
        }

    @property
    def control_origin(self) -> str:
        return f"http://{self.host}:{self.control.port}"

    def truth(self) -> dict[str, object]:
        return {}

    # -- time
    async def step(self, milliseconds: int) -> None:
        """Stepping mode: advance the source by this much, with no real time passing; sockets get to write in between."""
        self._advance(self.elapsed_ns + milliseconds * 1_000_000)
        self._keep_house(milliseconds / 1000)
        await asyncio.sleep(0)

    def _advance(self, elapsed_ns: int) -> None:
        self.elapsed_ns = elapsed_ns
        for frame in self.source.advance(elapsed_ns):
            server = self.servers.get(frame.venue)
            if server is not None:
                server.publish(frame)

    def _keep_house(self, seconds: float) -> None:
        self.faults.expire()
        for server in self.servers.values():
            server.housekeeping(seconds)

    async def _drive(self) -> None:
        start = kept = self._now()
        pinged = dict.fromkeys(self.servers, start)
        while True:
            now = self._now()
            due = self.source.next_due()
            behind = 0 if due is None else now - start - due
            if behind > MAX_BEHIND:
                start += behind
                self.time_lost_ns += behind
            self._advance(now - start)
            if now - kept >= HOUSEKEEPING:
                self._keep_house((now - kept) / SECOND)
                kept = now
            for venue, server in self.servers.items():
                every = server.front.server_ping_seconds
                if every is not None and now - pinged[venue] >= every * SECOND:
                    pinged[venue] = now
                    await server.ping()
            due = self.source.next_due()
            wait = HOUSEKEEPING if due is None else min(HOUSEKEEPING, start + due - self._now())
            await asyncio.sleep(max(SHORTEST_WAIT, wait) / SECOND)

    # -- faults that strike the source
    def _strike(self, fault: Fault) -> None:
        """Overridden where the source can misbehave."""

    def _relent(self, fault: Fault) -> None:
        """Overridden where the source can misbehave."""


class SimulatedVenues(VenueHost):
    """Simulated venues on loopback (the usual three, any by name, or `venues=registry.ALL`), living through a scenario.

    epoch_ns: what the venues' clocks show at the start; by default the present time, in stepping mode a fixed one, so that
    the bytes depend on the seed alone.

    Raises:
        SettingsError: unknown scenario, asset or venue, speed not positive, or a port that is taken.
    """

    STEPPING_EPOCH = 1_770_285_600 * SECOND  # 2026-02-05 10:00 UTC

    def __init__(
        self,
        scenario: str = "calm",
        seed: int = 1,
        speed: float = 1.0,
        host: str = "127.0.0.1",
        *,
        assets: Sequence[str] = USUAL_ASSETS,
        venues: Sequence[str] = USUAL,
        stepping: bool = False,
        epoch_ns: int | None = None,
        ports: Mapping[str, int] | None = None,
        control_port: int = 0,
    ) -> None:
        if not speed > 0:
            raise SettingsError(f"speed must be above 0, got {speed}")
        now = Clock().now
        epoch = epoch_ns if epoch_ns is not None else self.STEPPING_EPOCH if stepping else now()
        self.scenario_source = ScenarioSource(
            find_scenario(scenario), seed=seed, epoch_ns=epoch, speed=speed, assets=assets, venues=venues
        )
        self.world = WorldTruth(self.scenario_source)
        self.seed = seed
        super().__init__(
            self.scenario_source,
            venues,
            host=host,
            stepping=stepping,
            # In stepping mode limits, pings and fault times follow the stepped time.
            now=(lambda: epoch + self.elapsed_ns) if stepping else now,
            ports=ports,
            control_port=control_port,
        )

    @property
    def symbols(self) -> dict[str, list[str]]:
        return {venue: list(self.scenario_source.writers[venue].markets) for venue in self.servers}

    def truth(self) -> dict[str, object]:
        return self.world.as_dict()

    def _strike(self, fault: Fault) -> None:
        for venue, writer in self.scenario_source.writers.items():
            if fault.venue not in (None, venue):
                continue
            if fault.kind == "clock_skew":
                writer.clock.skew_ms += fault.options["milliseconds"]
            for symbol in writer.markets:
                if fault.market in (None, symbol) and fault.kind == "crossed_book":
                    writer.cross(symbol)
                elif fault.market in (None, symbol) and fault.kind == "restart":
                    for key, data in writer.restart(symbol):
                        self.servers[venue].publish(OutFrame(venue, key, data))

    def _relent(self, fault: Fault) -> None:
        if fault.kind == "clock_skew":
            for venue, writer in self.scenario_source.writers.items():
                if fault.venue in (None, venue):
                    writer.clock.skew_ms -= fault.options["milliseconds"]


def settings_toml(sim: SimulatedVenues) -> str:
    """Settings that point the service at these venues."""
    return venue_settings(sim.origins, sim.symbols)


def venue_settings(origins: Mapping[str, Mapping[str, str]], symbols: Mapping[str, Sequence[str]]) -> str:
    parts = []
    for venue, origin in origins.items():
        if not symbols.get(venue):  # it lists nothing of the assets asked for
            continue
        names = ", ".join(f'"{symbol}"' for symbol in symbols[venue])
        lines = [f"[venues.{venue}]", f"symbols = [{names}]"]
        lines += [f'{name} = "{value}"' for name, value in origin.items()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
