"""The hub on the simulated venues, in memory and without waiting: no socket, no clock, the same frames on every machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import LiquidationPayload
from monitor.clock import SECOND
from monitor.config import Settings
from monitor.errors import VenueError
from monitor.events import Command, Connected, Fetch, InstrumentsListed, RestReplied, Send
from monitor.facts import Instrument
from monitor.hub import Hub
from monitor.service.wiring import hub_options
from monitor.simulator.protocols.base import Front, Session
from monitor.simulator.protocols.registry import PROTOCOLS
from monitor.simulator.protocols.registry import USUAL as SIMULATED
from monitor.simulator.scenario_source import ScenarioSource
from monitor.simulator.scenarios import scenario
from monitor.simulator.service import SimulatedVenues
from monitor.venues.base import RestRequest, Venue
from monitor.venues.registry import VENUES
from monitor.views import ServiceView

EPOCH: Final = SimulatedVenues.STEPPING_EPOCH


@dataclass(frozen=True, slots=True)
class Rehearsed:
    frames: int
    verified: int
    markets: int


class _Nowhere:
    def transitions(self, transitions: Sequence[Transition]) -> None:
        pass

    def liquidation(self, payload: LiquidationPayload) -> None:
        pass

    def second(self, view: ServiceView) -> None:
        pass


class _Stage:
    """Carries what the hub asks for to the venues' fronts and their answers back, at once."""

    def __init__(self) -> None:
        settings = Settings()
        self.now = EPOCH
        self.frames = 0
        self.source = ScenarioSource(scenario("calm"), seed=1, epoch_ns=EPOCH, venues=SIMULATED)
        self.hub = Hub(hub_options(settings), AlertEngine(settings.alerts, settings.instance.name), _Nowhere())
        self.fronts: dict[str, Front] = {name: PROTOCOLS[name].front(self._knower(name)) for name in SIMULATED}
        self.sessions: dict[str, list[Session]] = {name: [] for name in SIMULATED}

    def _knower(self, venue: str) -> Callable[[str], bool]:
        return lambda key: self.source.knows(venue, key)

    def open(self, venue: Venue) -> None:
        """List the venue's markets and connect."""
        symbols = list(self.source.writers[venue.name].markets)
        found: dict[str, Instrument] = {}
        for request in venue.instrument_requests(symbols):
            more: RestRequest | None = request
            while more is not None:
                page, more = venue.parse_instruments(more, self._ask(venue.name, more))
                found.update((instrument.symbol, instrument) for instrument in page)
        listed = tuple(found[symbol] for symbol in symbols)
        self.run(self.hub.on_event(InstrumentsListed(self.now, venue.name, listed)))
        for index, plan in enumerate(venue.connections(listed)):
            address = urlsplit(plan.url)
            session = self.fronts[venue.name].open(address.path, dict(parse_qsl(address.query)), index, self.now)
            if not isinstance(session, Session):
                raise VenueError(f"the simulated {venue.title} has no {address.path}")
            self.sessions[venue.name].append(session)
            self.run(self.hub.on_event(Connected(self.now, venue.name, index, plan)))
            for text in self.fronts[venue.name].welcome(session):
                self._deliver(venue.name, session, text.encode())

    def run(self, commands: Sequence[Command]) -> None:
        for command in commands:
            if isinstance(command, Send):
                self._send(command)
            elif isinstance(command, Fetch):
                body = self._ask(command.venue, command.request)
                self.run(self.hub.on_event(RestReplied(self.now, command.venue, command.request, body)))

    def _send(self, command: Send) -> None:
        front, session = self.fronts[command.venue], self.sessions[command.venue][command.connection]
        answer = front.receive(session, command.text, self.now)
        for text in answer.texts:
            self._deliver(command.venue, session, text.encode())
        for key in answer.subscribed:
            for data in self.source.opening(command.venue, key):
                self._deliver(command.venue, session, front.envelope(session, key, data))

    def _ask(self, venue: str, request: RestRequest) -> bytes:
        address = urlsplit(request.url)
        reply = self.source.rest(venue, address.path, dict(parse_qsl(address.query)))
        if reply is None:
            raise VenueError(f"the simulated {venue} has no {address.path}")
        return reply.body

    def _deliver(self, venue: str, session: Session, data: bytes) -> None:
        self.frames += 1
        if self.fronts[venue].numbers:
            data = self.fronts[venue].number(session, data)
        self.run(self.hub.on_frame(venue, session.number, data, self.now))

    def step(self) -> None:
        """One step of the simulated world."""
        self.now = EPOCH + self.source.next_due()
        for frame in list(self.source.step()):  # the venues finish their step before anybody asks them
            front = self.fronts[frame.venue]
            for session in self.sessions[frame.venue]:
                if frame.key in session.topics:
                    self._deliver(frame.venue, session, front.envelope(session, frame.key, frame.data))
        self.run(self.hub.on_tick(self.now))


def rehearse(seconds: int) -> Rehearsed:
    """So many seconds of simulated time through a fresh hub; every figure of the read model is made once a second.

    Raises:
        VenueError: the simulated venues lack something the venue modules ask for.
    """
    stage = _Stage()
    for name in SIMULATED:
        stage.open(VENUES[name])
    while stage.now < EPOCH + seconds * SECOND:
        stage.step()
    markets = stage.hub.view.markets
    return Rehearsed(stage.frames, sum(market.verified for market in markets), len(markets))
