"""One venue's simulator, the real feed and a hub on it, over real sockets of loopback, on a clock that moves only when told.

    with Rig("okx_swap", assets=("BTC",)) as rig:
        rig.start()                                   # listed, connected, every book verified
        rig.order("gap", channel="book", market=rig.symbols[0])
        rig.step(500)
        rig.until(rig.all_verified)

Time is the simulator's: the event loop's own clock is it too, so that pauses, time-outs and limits of the feed pass as fast as steps are made,
and nothing waits. Between two steps the loop runs until no socket has anything more to say.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Self, TypeVar

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import LiquidationPayload
from monitor.alerts.settings import AlertsSettings
from monitor.clock import Clock
from monitor.events import Command, Connected, Disconnected, Event, Fetch, FrameReceived, RestReplied, Send
from monitor.feed.options import VenueOptions
from monitor.feed.venue_feed import VenueFeed
from monitor.hub import Hub, HubOptions
from monitor.market import Market, MarketOptions
from monitor.simulator.market import Market as SimulatedMarket
from monitor.simulator.misbehaviour import Fault
from monitor.simulator.protocols.registry import PROTOCOLS
from monitor.simulator.recording_source import RecordingSource
from monitor.simulator.service import SimulatedVenues, VenueHost
from monitor.venues.registry import VENUES
from monitor.views import MarketView, ServiceView, VenueView

SECOND = 1_000_000_000
STEP_MS = 100
QUIET_TURNS = 3  # of the loop, without a socket that has anything to say
TOP = 50  # levels a side that are compared
FX = {"USDT": 1.0, "USDC": 1.0}

Result = TypeVar("Result")
Levels = tuple[
    tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]
]  # (tick, lots) from the touch outwards, bids and asks


class _CountingSelector(selectors.SelectSelector):
    ready = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(timeout)
        self.ready += len(found)
        return found


class _AtOnce(ThreadPoolExecutor):
    """Work for a thread is done where it is asked for: no race with the steps."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args, **named))
        except Exception as error:
            future.set_exception(error)
        return future


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock is moved by hand."""

    def __init__(self) -> None:
        self.sockets = _CountingSelector()
        super().__init__(self.sockets)
        self.now = 0.0
        self.set_default_executor(_AtOnce())

    def time(self) -> float:
        return self.now

    async def settle(self) -> None:
        """Until no socket has anything to say and nothing is due."""
        quiet = 0
        while quiet < QUIET_TURNS:
            before = self.sockets.ready
            await asyncio.sleep(0)
            quiet = 0 if self.sockets.ready > before or self._ready else quiet + 1  # type: ignore[attr-defined]


class SteppedClock(Clock):
    """The simulator's time; a microsecond more each time it is asked, as receive times never repeat."""

    __slots__ = ("_asked", "_now")

    def __init__(self, now: Callable[[], int]) -> None:
        self._now, self._asked = now, 0

    def now(self) -> int:
        self._asked = max(self._asked + 1_000, self._now())
        return self._asked


@dataclass
class Kept:
    """The hub's outlet: keeps everything."""

    moves: list[Transition] = field(default_factory=list)
    prints: list[LiquidationPayload] = field(default_factory=list)

    def transitions(self, transitions: Sequence[Transition]) -> None:
        self.moves.extend(transitions)

    def liquidation(self, payload: LiquidationPayload) -> None:
        self.prints.append(payload)

    def second(self, view: ServiceView) -> None:
        pass


@dataclass
class Truth:
    """What happened on one simulated market since the beginning."""

    trades: dict[str, int] = field(default_factory=lambda: {"buy": 0, "sell": 0})
    traded_usd: dict[str, float] = field(default_factory=lambda: {"buy": 0.0, "sell": 0.0})
    liquidations: dict[str, int] = field(default_factory=lambda: {"long": 0, "short": 0})
    liquidated_usd: dict[str, float] = field(default_factory=lambda: {"long": 0.0, "short": 0.0})
    moments: deque[Levels] = field(default_factory=deque)  # the top of the book after each step, the present one last


class Rig:
    """One venue. `keep_seconds`: how far back the truth about books is remembered. `served`: a recording instead of a scenario (then there
    is no truth). `events`: everything a recorder would have written, frames included.
    """

    def __init__(
        self,
        venue: str,
        *,
        assets: Sequence[str] = ("BTC", "ETH"),
        scenario: str = "calm",
        seed: int = 7,
        keep_seconds: float = 8.0,
        served: RecordingSource | None = None,
        **options: Any,
    ) -> None:
        self.venue, self.module, self.protocol = venue, VENUES[venue], PROTOCOLS[venue]
        self._runner = asyncio.Runner(loop_factory=SteppedLoop)
        self._build = {"scenario": scenario, "seed": seed, "assets": assets, "venues": (venue,), "stepping": True}
        self._options, self._served = options, served
        self._keep = int(keep_seconds * 1000 / 50)
        self.outlet = Kept()
        self.log: list[Event | Command] = []  # what happened and what was asked for, in order; no frames
        self.events: list[Event] = []
        self.frames = 0
        self.after_frame: Callable[[int, bytes], None] = lambda connection, data: None
        self.truth: dict[str, Truth] = defaultdict(Truth)

    # -- life
    def __enter__(self) -> Self:
        self._runner.__enter__()
        self.loop: SteppedLoop = self._runner.get_loop()  # type: ignore[assignment]
        self.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._close())
        self._runner.__exit__(None, None, None)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(work)

    async def _open(self) -> None:
        self.host = self._host()
        await self.host.__aenter__()
        self.clock = SteppedClock(self.host._now)
        self.hub = Hub(
            HubOptions(
                market=MarketOptions(bands=("0.1%", "1%"), slippage_usd=(100_000,), floor_settle=0), fx_fixed=FX
            ),
            AlertEngine(AlertsSettings(), "rig"),
            self.outlet,
            {self.venue: self.module},
        )
        options = VenueOptions(symbols=tuple(self.symbols), **self.host.origins[self.venue], **self._options)
        self.feed = VenueFeed(self.module, options, self.clock, self._event, self._receiver, 1, None)
        self._task: asyncio.Task[None] | None = None

    def _host(self) -> VenueHost:
        if self._served is None:
            self.sim = SimulatedVenues(**self._build)  # type: ignore[arg-type]
            self._watch_the_world()
            self.symbols = self.sim.symbols[self.venue]
            return self.sim
        self.symbols = [instrument.symbol for instrument in self._served.instruments[self.venue]]
        epoch = SimulatedVenues.STEPPING_EPOCH
        return VenueHost(self._served, [self.venue], stepping=True, now=lambda: epoch + self.host.elapsed_ns)

    async def _close(self) -> None:
        failure = None
        if self._task is not None:
            if self._task.done():
                failure = self._task.exception()
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.host.__aexit__(None)
        if failure is not None:
            raise failure

    # -- between feed and hub
    def _event(self, event: Event) -> None:
        self.log.append(event)
        self.events.append(event)
        self._execute(self.hub.on_event(event))

    def _receiver(self, _: str, connection: int) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            self.frames += 1
            at = self.clock.now()
            self.events.append(FrameReceived(at, self.venue, connection, data))
            commands = self.hub.on_frame(self.venue, connection, data, at)
            self.after_frame(connection, data)
            self._execute(commands)

        return receive

    def _execute(self, commands: Sequence[Command]) -> None:
        for command in commands:
            self.log.append(command)
            self.feed.execute(command)

    # -- time
    def start(self, seconds: float = 20.0) -> None:
        """Until every book is verified."""

        async def begin() -> None:
            self._task = asyncio.create_task(self.feed.run(), name="feed")

        self.run(begin())
        self.until(self.all_verified, seconds)

    def step(self, milliseconds: int = STEP_MS) -> None:
        self.run(self._step(milliseconds))

    async def _step(self, milliseconds: int) -> None:
        for _ in range(max(1, milliseconds // STEP_MS)):
            await self._tread(min(milliseconds, STEP_MS))

    async def _tread(self, milliseconds: int) -> None:
        """One step of any length; the sockets get to speak at its end."""
        await self.host.step(milliseconds)
        self.loop.now = self.host.elapsed_ns / SECOND
        await self.loop.settle()
        if self.host.elapsed_ns % SECOND == 0:
            self._execute(self.hub.on_tick(self.clock.now()))
            await self.loop.settle()
        if self._task is not None and self._task.done():
            raise AssertionError(f"the feed ended: {self._task.exception()!r}")

    def until(self, condition: Callable[[], object], seconds: float = 30.0, every_ms: int = STEP_MS) -> None:
        """Steps until the condition holds; fails after so much simulated time, saying how things stand."""

        async def wait() -> None:
            for _ in range(int(seconds * 1000 / every_ms)):
                if condition():
                    return
                await self._tread(every_ms)
            assert condition(), self.state()

        self.run(wait())

    # -- the truth
    def _watch_the_world(self) -> None:
        source = self.sim.scenario_source
        turn = source.turn

        def turn_and_look() -> None:
            turn()
            for symbol, market in self.simulated.items():
                self._note(self.truth[symbol], market)

        source.turn = turn_and_look  # type: ignore[method-assign]

    def _note(self, truth: Truth, market: SimulatedMarket) -> None:
        spec = market.spec
        for trade in market.trades:
            side = "buy" if trade.side > 0 else "sell"
            truth.trades[side] += 1
            truth.traded_usd[side] += trade.lots * spec.worth(trade.tick * spec.tick_usd)
        for each in market.liquidations:
            position = "long" if each.sign > 0 else "short"
            truth.liquidations[position] += 1
            truth.liquidated_usd[position] += each.filled * spec.worth(each.average)
        truth.moments.append(top_of(market))
        if len(truth.moments) > self._keep:
            truth.moments.popleft()

    @property
    def simulated(self) -> dict[str, SimulatedMarket]:
        return self.sim.scenario_source.writers[self.venue].markets

    def force(self, symbol: str, sign: int, usd: float) -> None:
        """A position of this size (+1 a long) that the liquidation engine takes over at once and closes in the book."""
        market = self.simulated[symbol]
        lots = market.lots_of(usd)
        leverage = 20.0
        entry = market.mark / (1 - sign / leverage) * (1 - sign * 0.0025)  # its margin is gone 0.25% beyond the mark
        market.ledger.open(sign, lots, entry, leverage)
        market.ledger.accounts["makers"] -= sign * lots  # type: ignore[index]

    # -- what the hub holds
    def market(self, symbol: str) -> Market:
        return self.hub.markets[self.venue, symbol]

    def view(self, symbol: str) -> MarketView:
        (found,) = [m for m in self.hub.view.markets if m.market == symbol]
        return found

    def venue_view(self) -> VenueView:
        (found,) = [v for v in self.hub.view.venues if v.venue == self.venue]
        return found

    def readable(self, symbol: str) -> bool:
        """Now, and not at the last full second."""
        market = self.hub.markets.get((self.venue, symbol))
        lane = None if market is None or market.active is None else market.books.get(market.active)
        return lane is not None and lane.book.readable

    def all_verified(self) -> bool:
        views = self.hub.view.markets
        return (
            len(views) == len(self.symbols)
            and all(view.verified for view in views)
            and all(map(self.readable, self.symbols))
        )

    def levels(self, symbol: str, count: int = TOP) -> Levels:
        """The top of the book that is read, in ticks and lots of the simulated market."""
        market = self.market(symbol)
        spec = market.instrument if self._served else self.simulated[symbol].spec
        assert market.active is not None
        book = market.books[market.active].book
        price = Decimal(book.scale.price.step) / spec.tick_size
        size = Decimal(book.scale.size.step) / spec.lot_size
        found = []
        for side in ("bid", "ask"):
            rows = book.levels_of(side)  # type: ignore[arg-type]
            rows = rows[::-1][:count] if side == "bid" else rows[:count]
            found.append(tuple((_whole(tick * price), _whole(lots * size)) for tick, lots in rows.tolist()))
        return found[0], found[1]

    def prices(self, symbol: str, count: int = TOP) -> list[list[tuple[Decimal, Decimal]]]:
        """The top of the book that is read, whatever grid it is kept on."""
        market = self.market(symbol)
        assert market.active is not None
        book = market.books[market.active].book
        price, size = book.scale.price.step, book.scale.size.step
        sides = [book.levels_of(side).tolist() for side in ("bid", "ask")]  # type: ignore[arg-type]
        return [[(tick * price, lots * size) for tick, lots in rows[:count]] for rows in (sides[0][::-1], sides[1])]

    def true_at(self, symbol: str, within_seconds: float, count: int = TOP) -> bool:
        """Whether the book that is read equals the simulated one at some moment of the last seconds, in its best levels."""
        bids, asks = self.levels(symbol, count)
        moments = list(self.truth[symbol].moments)[-max(2, int(within_seconds * 1000 / 50)) :]
        return bool(bids) and any(
            theirs[0][: len(bids)] == bids and theirs[1][: len(asks)] == asks for theirs in reversed(moments)
        )

    def all_connected(self) -> bool:
        """Every planned socket stands."""
        planned = self.module.connections([market.instrument for market in self.hub.markets.values()])
        return self.connects - len(self.ends()) >= len(planned)

    # -- faults
    def order(self, kind: str, **named: Any) -> Fault:
        return self.host.faults.inject(kind, venue=self.venue, **named)

    @property
    def connects(self) -> int:
        return sum(isinstance(event, Connected) for event in self.log)

    @property
    def sent(self) -> list[str]:
        """What the client wrote."""
        return [command.text for command in self.log if isinstance(command, Send)]

    def recoveries(self, symbol: str, since: int) -> int:
        """Most REST snapshots of one market under way at once, looking at the log from a place in it."""
        under_way = most = 0
        for each in self.log[since:]:
            if isinstance(each, Fetch | RestReplied) and (each.request.purpose, each.request.symbol) == (
                "snapshot",
                symbol,
            ):
                under_way += 1 if isinstance(each, Fetch) else -1
                most = max(most, under_way)
        return most

    def ends(self) -> list[str]:
        """Why connections ended, in order."""
        return [event.reason for event in self.log if isinstance(event, Disconnected)]

    def state(self) -> str:
        """How things stand, for a test that failed."""
        view = self.hub.view
        markets = [f"{m.market}: {m.reason or 'verified'} {dict(m.resyncs)}" for m in view.markets]
        faults = [fault for venue in view.venues for fault in venue.faults]
        last = [text[:200] for text in self.sent[-5:]]
        return (
            f"at {self.host.elapsed_ns / SECOND:g} s; markets {markets}; faults {faults}; ends {self.ends()}; frames {self.frames}; "
            f"last sent {last}; standing {[f.kind for f in self.host.faults.standing.values()]}"
        )


def top_of(market: SimulatedMarket, count: int = TOP) -> Levels:
    book = market.book
    sides = []
    for sign in (1, -1):
        found = book.top(sign, count)
        lots = abs(book.lots[found])
        sides.append(tuple(zip((found + book.low).tolist(), lots.tolist(), strict=True)))
    return sides[0], sides[1]


def _whole(value: Decimal) -> int:
    assert value == int(value), "the venue listed a coarser grid than its market has"
    return int(value)
