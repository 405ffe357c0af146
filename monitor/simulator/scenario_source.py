"""The source that lives through a scenario: steps the world and lets each venue write its frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.simulator.market_model import STEP_MS, World
from monitor.simulator.protocols.frames import VenueClock, VenueFrames
from monitor.simulator.protocols.registry import PROTOCOLS, USUAL
from monitor.simulator.scenarios import Scenario
from monitor.simulator.source import OutFrame, RestReply
from monitor.simulator.specs import USUAL_ASSETS


@dataclass(frozen=True, slots=True)
class PhaseStart:
    name: str
    at_ms: int  # scenario time


class ScenarioSource:
    """`speed` times scenario time per real time; the venues' timestamps follow real time from `epoch_ns`."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: int,
        epoch_ns: int,
        speed: float = 1.0,
        assets: Sequence[str] = USUAL_ASSETS,
        venues: Sequence[str] = USUAL,
    ) -> None:
        self.scenario, self.speed = scenario, speed
        self.world = World(seed=seed, assets=assets, venues=venues)
        self.phases: list[PhaseStart] = []
        self.writers: dict[str, VenueFrames] = {}
        for venue in venues:
            clock = VenueClock(epoch_ns // 1_000_000, speed)
            mine = [market for (name, _), market in self.world.markets.items() if name == venue]
            self.writers[venue] = PROTOCOLS[venue].frames(mine, clock)
        for market in self.world.markets.values():
            market.book.take_touched()
        self._phase = -1

    @property
    def outages(self) -> frozenset[str]:
        return self.world.halted

    @property
    def phase(self) -> str:
        return self.phases[-1].name if self.phases else self.scenario.phases[0].name

    def knows(self, venue: str, key: str) -> bool:
        return self.writers[venue].knows(key)

    def opening(self, venue: str, key: str) -> list[bytes]:
        return self.writers[venue].opening(key)

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        return self.writers[venue].rest(path, query)

    def started_by(self, venue: str, key: str) -> None:
        """The world turns whether or not somebody looks."""

    def next_due(self) -> int:
        return int((self.world.now_ms + STEP_MS) * 1_000_000 / self.speed)

    def advance(self, elapsed_ns: int) -> Iterator[OutFrame]:
        while self.next_due() <= elapsed_ns:
            yield from self.step()

    def turn(self) -> None:
        """One world step under the scenario's conditions, without frames."""
        seconds = self.world.now_ms / 1000
        number, phase, _, _ = self.scenario.at(seconds)
        if number != self._phase:
            self._phase = number
            self.phases.append(PhaseStart(phase.name, self.world.now_ms))
        conditions = {asset: self.scenario.conditions(asset, seconds) for asset in self.world.assets}
        venues = tuple(self.writers)
        down = frozenset(venues[place % len(venues)] for place in phase.down)
        self.world.step(conditions, down)

    def step(self) -> Iterator[OutFrame]:
        """One world step, and the frames it leads to."""
        self.turn()
        touched = {key: market.book.take_touched() for key, market in self.world.markets.items()}
        for venue, writer in self.writers.items():
            mine = {symbol: touched[venue, symbol] for symbol in writer.markets}
            # A venue that is down writes nothing; its books catch up with the first frames after it is back.
            for key, data in writer.step(self.world.now_ms, mine):
                if venue not in self.world.halted:
                    yield OutFrame(venue, key, data)
