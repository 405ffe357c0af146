"""The whole service on simulated venues in one process: what the end-to-end tests start, watch and wait for."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import orjson
from e2e_chain import Watch
from prometheus_client.parser import text_string_to_metric_families

from monitor.alerts.payloads import AlertPayload
from monitor.clock import Clock
from monitor.config import Settings, load_settings
from monitor.hub import Hub
from monitor.service.service import Service, Started
from monitor.simulator.service import SimulatedVenues, settings_toml
from monitor.simulator.source import RestReply
from monitor.views import AlertView, MarketView, ServiceView, VenueView

BINANCE, BYBIT, OKX = "binance_usdm", "bybit_linear", "okx_swap"
VENUES: Final = (BINANCE, BYBIT, OKX)
BTC: Final = {BINANCE: "BTCUSDT", BYBIT: "BTCUSDT", OKX: "BTC-USDT-SWAP"}
ETH: Final = {BINANCE: "ETHUSDT", BYBIT: "ETHUSDT", OKX: "ETH-USDT-SWAP"}
ALL_BOOKS: Final = 6
STOP_SECONDS: Final = 3.0  # the brief of the service: a stop takes no longer, whatever goes on
SETTLE_TURNS: Final = 12  # turns of the loop between two steps: a request, its answer and what follows from it

T = TypeVar("T")

BASE = """
[http]
listen = "127.0.0.1:0"
[state]
path = "{folder}/undertow.sqlite"
"""
EMBEDDED = """
[mqtt]
embedded_listen = "127.0.0.1:0"
"""


async def eventually(condition: Callable[[], T], seconds: float = 10.0, what: str = "") -> T:
    """Wait until the condition holds; its value. Fails, naming it, when it does not come true in time."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            raise AssertionError(f"not true within {seconds:g} s: {what or condition}")
        await asyncio.sleep(0.004)
    return value


@dataclass
class Scrape:
    """One answer of /metrics."""

    text: str
    series: dict[str, dict[frozenset[tuple[str, str]], float]]  # name without prefix -> labels -> value

    @classmethod
    def of(cls, text: str) -> Scrape:
        series: dict[str, dict[frozenset[tuple[str, str]], float]] = defaultdict(dict)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series[sample.name.removeprefix("undertow_")][frozenset(sample.labels.items())] = sample.value
        return cls(text, dict(series))

    def all(self, name: str, **labels: str) -> list[float]:
        """Every value of the series that carry these labels."""
        wanted = labels.items()
        return [value for of, value in self.series.get(name, {}).items() if wanted <= dict(of).items()]

    def one(self, name: str, **labels: str) -> float:
        found = self.all(name, **labels)
        assert len(found) == 1, f"{name} {labels}: {found}"
        return found[0]


class SteppedClock(Clock):
    """The service's clock on a stepped simulator: both live in the same time, and it moves only by `step`."""

    __slots__ = ("_last", "_sim")

    def __init__(self, sim: SimulatedVenues, epoch: int) -> None:
        self._sim = sim
        self._offset = epoch
        self._last = 0

    def now(self) -> int:
        self._last = max(self._last + 1, self._offset + self._sim.elapsed_ns)
        return self._last


@dataclass
class Ledger:
    """What reached the simulated venues: by (venue, path) for REST, by venue for sockets and client messages."""

    rest: Counter[tuple[str, str]] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    subscribes: Counter[str] = field(default_factory=Counter)

    def attach(self, sim: SimulatedVenues) -> None:
        for venue, server in sim.servers.items():
            self._tap(venue, server)

    def _tap(self, venue: str, server: Any) -> None:
        rest, receive = server.rest, server.front.receive

        def counted_rest(path: str, query: dict[str, str]) -> RestReply:
            self.rest[venue, path] += 1
            return rest(path, query)  # type: ignore[no-any-return]

        def counted_receive(session: Any, text: str, now: int) -> Any:
            self.messages[venue] += 1
            self.subscribes[venue] += '"subscribe"' in text.lower()
            return receive(session, text, now)

        server.rest, server.front.receive = counted_rest, counted_receive

    def rest_total(self, venue: str) -> int:
        return sum(count for (name, _), count in self.rest.items() if name == venue)


@dataclass
class World:
    """A running service and its venues."""

    sim: SimulatedVenues
    settings: Settings
    folder: Path
    ledger: Ledger
    watch: Watch
    service: Service
    client: aiohttp.ClientSession
    clock: Clock
    alerts: list[AlertPayload] = field(default_factory=list)
    alerted_at: list[float] = field(default_factory=list)  # monotonic
    views: list[ServiceView] = field(default_factory=list)
    started: Started | None = None
    task: asyncio.Task[None] | None = None
    stopped_in: float | None = None

    # -- reading
    @property
    def hub(self) -> Hub:
        assert self.started is not None
        return self.started.hub

    @property
    def view(self) -> ServiceView:
        return self.hub.view

    def market(self, venue: str, symbol: str) -> MarketView:
        """As it is at this moment, not as of the last whole second."""
        hub, market, state = self.hub, self.hub.markets[venue, symbol], self.hub.states[venue]
        link = state.links.get(market.active) if market.active is not None else None
        rate = hub.fx.rate(market.instrument.quote)
        return market.view(self.clock.now(), rate, link, state.halted, state.links.values())

    def venue(self, name: str) -> VenueView:
        return self.hub.states[name].view()

    def verified(self, venue: str, symbol: str) -> bool:
        return (venue, symbol) in self.hub.markets and self.market(venue, symbol).verified

    def connections(self, venue: str) -> int:
        """Sockets opened at this venue so far."""
        return self.sim.servers[venue]._numbers

    def all_verified(self, count: int = ALL_BOOKS) -> bool:
        return self.started is not None and sum(self.verified(*key) for key in self.hub.markets) == count

    def open_alerts(self, kind: str | None = None) -> list[AlertView]:
        return [alert for alert in self.view.alerts if kind in (None, alert.kind)]

    def transitions(self, kind: str, asset: str | None = None, subject: str | None = None) -> list[AlertPayload]:
        return [p for p in self.alerts if p.kind == kind and asset in (None, p.asset) and subject in (None, p.subject)]

    def truth_gap(self, venue: str, symbol: str, basis: Sequence[str] = ("live",)) -> dict[str, float]:
        """Largest relative difference of published depth from the simulator's own, by "side band basis"."""
        view = self.market(venue, symbol)
        found = {}
        for figure in view.depth:
            if figure.basis in basis:
                ratio = float(figure.band.rstrip("%")) / 100
                _, usd = self.sim.world.depth(venue, symbol, figure.side, ratio)
                found[f"{figure.side} {figure.band} {figure.basis}"] = figure.usd / usd - 1 if usd else float("inf")
        return found

    def equals_truth(self, venue: str, symbol: str) -> bool:
        """Mid and every band inside the verified reach are the simulator's own."""
        view = self.market(venue, symbol)
        if not view.verified or view.mid_price is None:
            return False
        if abs(view.mid_price / self.sim.world.mid(venue, symbol) - 1) > 1e-12:
            return False
        gaps = self.truth_gap(venue, symbol)
        return all(abs(gap) < 1e-9 for gap in gaps.values())

    # -- waiting
    async def ready(self, count: int = ALL_BOOKS, seconds: float = 15.0) -> None:
        await eventually(lambda: self.all_verified(count), seconds, f"{count} verified books")

    async def true_books(self, seconds: float = 10.0, keys: Sequence[tuple[str, str]] | None = None) -> None:
        """Every book equals the simulator's at some moment."""
        for key in list(self.hub.markets) if keys is None else keys:
            await eventually(lambda key=key: self.equals_truth(*key), seconds, f"{key} equals the truth")

    @property
    def mqtt_port(self) -> int:
        assert self.started is not None
        return int(self.started.mqtt_address.rpartition(":")[2])

    def blind_share(self, venue: str, symbol: str, since: int = 0) -> float:
        """Share of the seconds in which this book was not verified."""
        states = [m.verified for v in self.views[since:] for m in v.markets if (m.venue, m.market) == (venue, symbol)]
        return states.count(False) / len(states)

    async def get(self, path: str) -> tuple[int, Any]:
        assert self.started is not None
        async with self.client.get(self.started.http_url + path) as answer:
            body = await answer.read()
            return answer.status, orjson.loads(body) if answer.content_type == "application/json" else body.decode()

    async def next_second(self) -> None:
        """Until the read model was made anew: what metrics, API and topics say is of the last whole second."""
        mark = self.clock.now()
        await eventually(lambda: bool(self.views) and self.views[-1].at >= mark, 3, "the next second")

    async def metrics(self) -> Scrape:
        """All series, of a second that began after the call."""
        await self.next_second()
        _, text = await self.get("/metrics")
        return Scrape.of(text)

    async def metrics_now(self) -> Scrape:
        """All series as of the last second (in stepping mode nothing happens between two steps)."""
        _, text = await self.get("/metrics")
        return Scrape.of(text)

    async def play(self, seconds: float, *, until: Callable[[], object] | None = None, pause: float = 0.0) -> bool:
        """Stepping mode: let this much time pass for venues and service; whether `until` came true first."""
        for _ in range(round(seconds * 10)):
            await self.sim.step(100)
            for _ in range(SETTLE_TURNS):
                await asyncio.sleep(0)
            if pause:
                await asyncio.sleep(pause)
            if until is not None and until():
                return True
        return False

    async def play_ready(self, seconds: float = 30.0) -> None:
        """Stepping mode: until every book is verified and every socket has its topics (sockets open in real time)."""

        def ready() -> bool:
            views = [self.venue(venue) for venue in self.sim.servers if venue in self.hub.states]
            sockets = sum(connection.connected for view in views for connection in view.connections)
            return self.all_verified(len(self.sim.world._markets(None))) and sockets == 2 * len(self.sim.servers)

        assert await self.play(seconds, until=ready, pause=0.01), {k: self.market(*k).reason for k in self.hub.markets}
        await self.play(1, pause=0.01)

    async def play_true(self, seconds: float = 3.0) -> None:
        """Stepping mode: until every book equals the truth, which it does between a venue's flush and the next step."""
        equal = lambda: all(self.equals_truth(*key) for key in self.hub.markets)  # noqa: E731
        gaps = {key: self.truth_gap(*key) for key in self.hub.markets}
        assert await self.play(seconds, until=equal), {key: (self.market(*key).reason, gaps[key]) for key in gaps}

    async def stop(self, within: float = STOP_SECONDS) -> float:
        """Stop the service; how long it took. Fails when it takes longer than `within`."""
        assert self.task is not None
        began = time.monotonic()
        self.service.stop()
        done, _ = await asyncio.wait((self.task,), timeout=within)
        if not done:
            stuck = {
                task.get_name(): [f"{f.f_code.co_filename}:{f.f_lineno}" for f in task.get_stack(limit=4)]
                for task in asyncio.all_tasks()
                if task is not asyncio.current_task()
            }
            self.task.cancel()
            await asyncio.wait((self.task,), timeout=5)
            raise AssertionError(f"the service did not stop within {within:g} s; tasks: {stuck}")
        self.task.result()
        self.stopped_in = time.monotonic() - began
        return self.stopped_in


def settings_for(sim: SimulatedVenues, folder: Path, extra: str = "", *, mqtt: str = EMBEDDED) -> Settings:
    """Settings of a service on these venues: free ports, state in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "venues.toml").write_text(settings_toml(sim))
    (folder / "base.toml").write_text(BASE.format(folder=folder) + mqtt)
    files = [folder / "venues.toml", folder / "base.toml"]
    if extra:
        (folder / "extra.toml").write_text(extra)
        files.append(folder / "extra.toml")
    return load_settings(files)


@contextlib.asynccontextmanager
async def service_on(
    sim: SimulatedVenues, folder: Path, extra: str = "", *, mqtt: str = EMBEDDED
) -> AsyncIterator[World]:
    """A service on running venues; it is stopped (within the bound) at the end unless the test did."""
    settings = settings_for(sim, folder, extra, mqtt=mqtt)
    clock = SteppedClock(sim, sim.STEPPING_EPOCH) if sim.stepping else Clock()
    alerts: list[AlertPayload] = []
    alerted: list[float] = []
    views: list[ServiceView] = []
    watch = Watch()

    def on_alert(payload: AlertPayload) -> None:
        alerts.append(payload)
        alerted.append(time.monotonic())

    def on_started(started: Started) -> None:
        world.started = started
        watch.attach(started.hub)

    service = Service(settings, clock=clock, on_alert=on_alert, on_started=on_started, on_second=views.append)
    ledger = Ledger()
    ledger.attach(sim)
    async with aiohttp.ClientSession() as client:
        world = World(sim, settings, folder, ledger, watch, service, client, clock, alerts, alerted, views)
        world.task = asyncio.create_task(service.run(), name="service")
        try:
            while world.started is None:
                if world.task.done():
                    world.task.result()
                    raise AssertionError("the service ended before it had started")
                await asyncio.sleep(0.002)
            yield world
        finally:
            if not world.task.done():
                await world.stop()
            gc.unfreeze()  # the service freezes what it finds; a test process starts many of them


@contextlib.asynccontextmanager
async def live(
    scenario: str = "calm",
    *,
    seed: int = 7,
    speed: float = 1.0,
    folder: Path | None = None,
    extra: str = "",
    mqtt: str = EMBEDDED,
    stepping: bool = False,
    **venues: Any,
) -> AsyncIterator[World]:
    """Venues and service together. stepping: time moves by `World.play` alone, much faster than on a wall."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="undertow-e2e-")))
        async with (
            SimulatedVenues(scenario, seed, speed, stepping=stepping, **venues) as sim,
            service_on(sim, folder, extra, mqtt=mqtt) as world,
        ):
            yield world
