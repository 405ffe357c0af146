"""The tasks of one venue: its listing, its REST queue, one task per socket. Executes; what to do comes from the hub's commands."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from random import Random
from typing import Any, NoReturn
from urllib.parse import urlsplit

import structlog

from monitor.clock import SECOND, Clock
from monitor.errors import FrameError, RetryLater, VenueError, VenueStopped
from monitor.events import (
    CloseConnection,
    Command,
    Connected,
    Disconnected,
    Event,
    Fetch,
    InstrumentsListed,
    OpenSuccessor,
    RestReplied,
    Send,
    VenueHalted,
)
from monitor.feed.backoff import Backoff, ConnectBudget
from monitor.feed.listing import Listing, fetch_listing
from monitor.feed.options import VenueOptions
from monitor.feed.reasons import Reason, known_reason
from monitor.feed.rest import RestClient, halt_reason
from monitor.feed.rest_budget import FOREVER
from monitor.feed.trail import trail
from monitor.feed.transport import FrameSocket, OnFrame, open_socket
from monitor.venues.base import ConnectionPlan, RestRequest, Venue, replace_origin

UNREACHABLE_AFTER = 5  # connects that failed in a row, none connected: then the venue is named unreachable

log = structlog.get_logger("monitor.feed")

Emit = Callable[[Event], None]
Receiver = Callable[[str, int], OnFrame]  # (venue, connection) -> what takes the frames of that socket


class Slot:
    """One place for a socket: keeps its plan and small index over reconnects."""

    __slots__ = ("backoff", "connection", "not_before", "plan", "retired", "socket", "successor", "troubled")

    def __init__(self, connection: int, plan: ConnectionPlan, backoff: Backoff) -> None:
        self.connection = connection
        self.plan = plan
        self.backoff = backoff
        self.socket: FrameSocket | None = None
        self.successor: Slot | None = None
        self.retired = False  # its plan is gone: do not connect again
        self.troubled = False  # a failed connect was logged
        self.not_before = 0


class VenueFeed:
    """Runs one venue until cancelled; a failure in here stays in here."""

    def __init__(
        self,
        venue: Venue,
        options: VenueOptions,
        clock: Clock,
        emit: Emit,
        receiver: Receiver,
        seed: int,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self.venue = venue
        self.options = options
        self.slots: dict[int, Slot] = {}
        self.rest = RestClient(venue, options, clock, self._replied, self._halt, ssl_context)
        self.task_deaths = 0
        self._clock = clock
        self._emit = emit
        self._receiver = receiver
        self._seed = seed
        self._ssl = ssl_context
        self._connects: dict[str, ConnectBudget] = {}
        self._halted_until = 0
        self._failed_connects = 0
        self._slots_made = 0
        self._listing: Listing | None = None
        self._tasks: asyncio.TaskGroup
        ping = venue.limits.ping
        # A venue without a ping of its own gets ours, or a dead path under quiet topics would show only after hours.
        self._protocol_ping = (ping.interval_seconds, ping.pong_timeout_seconds) if ping.text is None else None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as self._tasks:
            self._start(self._keep("rest", self.rest.run), "rest")
            self._start(self._keep("listing", self._list), "listing")

    # -- commands
    def execute(self, command: Command) -> None:
        match command:
            case Send(connection=connection, text=text):
                slot = self.slots.get(connection)
                if slot is not None and slot.socket is not None:
                    slot.socket.write(text)
            case CloseConnection(connection=connection, reason=reason):
                slot = self.slots.get(connection)
                if slot is not None and slot.socket is not None:
                    slot.socket.end(known_reason(reason))
            case OpenSuccessor(connection=connection, reason=reason):
                self._succeed(connection, known_reason(reason))
            case Fetch(request=request):
                self.rest.submit(request)

    def _succeed(self, connection: int, reason: Reason) -> None:
        slot = self.slots.get(connection)
        if slot is None or slot.socket is None or slot.retired:
            return
        if slot.successor is not None and self.slots.get(slot.successor.connection) is slot.successor:
            return  # one at a time
        slot.successor = self._add(slot.plan)
        log.info("successor_opening", venue=self.venue.name, connection=connection, reason=reason.value)

    # -- listing
    async def _list(self) -> None:
        backoff = Backoff(Random(f"{self._seed}:{self.venue.name}:listing"))
        while True:
            try:
                listing = await self._fetch_listing()
            except (VenueError, FrameError) as error:
                if not backoff.failures:
                    log.warning("instruments_not_listed", venue=self.venue.name, error=str(error))
                await asyncio.sleep(backoff.next_delay() / SECOND)
                continue
            backoff.lived(FOREVER)
            if listing != self._listing:
                self._listing = listing
                for symbol, reason in listing.refused:
                    log.error("market_refused", venue=self.venue.name, market=symbol, reason=reason)
                self._emit(InstrumentsListed(self._clock.now(), self.venue.name, listing.instruments, listing.refused))
                self._reconcile(self.venue.connections(listing.instruments) if listing.instruments else ())
            await asyncio.sleep(self.options.refresh_seconds)

    async def _fetch_listing(self) -> Listing:
        listing = await fetch_listing(self.venue, self.options.symbols, self.rest.ask)
        if not listing.instruments and self._listing is not None and self._listing.instruments:
            raise VenueError(
                "the listing has none of our markets any more"
            )  # a glitch, rather than the end of all of them
        return listing

    def _reconcile(self, plans: Sequence[ConnectionPlan]) -> None:
        """Opens what is new, reconnects what changed, retires what is gone."""
        wanted = {plan.name: plan for plan in plans}
        held = {slot.plan.name for slot in self.slots.values()}
        for slot in self.slots.values():
            plan = wanted.get(slot.plan.name)
            if plan == slot.plan:
                continue
            if plan is None:
                slot.retired = True
            else:
                slot.plan = plan
            if slot.socket is not None:
                slot.socket.end(Reason.PLAN_CHANGED)
        for plan in plans:
            if plan.name not in held:
                self._add(plan)

    # -- sockets
    def _add(self, plan: ConnectionPlan) -> Slot:
        connection = next(index for index in range(len(self.slots) + 1) if index not in self.slots)
        self._slots_made += 1
        slot = Slot(connection, plan, Backoff(Random(f"{self._seed}:{self.venue.name}:{self._slots_made}")))
        self.slots[connection] = slot
        self._start(self._hold(slot), f"socket:{connection}")
        return slot

    async def _hold(self, slot: Slot) -> None:
        """One socket after another in this slot, until it is retired or succeeded."""
        try:
            while not slot.retired:
                try:
                    socket = await self._connect(slot)
                    if socket is not None and await self._carry(slot, socket):
                        return
                except Exception as error:
                    self._died(f"socket:{slot.connection}", error)
                    slot.not_before = self._clock.now() + slot.backoff.next_delay()
        finally:
            del self.slots[slot.connection]

    async def _connect(self, slot: Slot) -> FrameSocket | None:
        plan = slot.plan
        url = replace_origin(plan.url, self.options.ws_origin)
        await self._wait_for_turn(slot, urlsplit(url).netloc)
        if slot.retired or slot.plan is not plan:
            return None
        limits = self.venue.limits
        try:
            if plan.address is not None:
                url = replace_origin(await self._handed_out(slot, plan, plan.address), self.options.ws_origin)
                if slot.retired or slot.plan is not plan or self._halted_until > self._clock.now():
                    return None
            socket = await open_socket(
                url,
                max_frame_bytes=limits.max_frame_bytes,
                open_seconds=self.options.connect_timeout_seconds,
                close_seconds=self.options.close_timeout_seconds,
                protocol_ping=self._protocol_ping,
                proxy=self.options.proxy,
                ssl_context=self._ssl,
                headers=self.venue.headers,
                gzip=plan.encoding == "gzip",
            )
        except VenueStopped as stopped:
            now = self._clock.now()
            until = None if stopped.seconds is None else now + int(stopped.seconds * SECOND)
            self.rest.budget.hold(FOREVER if until is None else until)
            self._halt(halt_reason(stopped), until)
        except (VenueError, FrameError) as error:
            self._connect_failed(slot, error)
        else:
            self._failed_connects = 0
            if slot.plan is plan and not slot.retired:
                return socket
            socket.end(Reason.PLAN_CHANGED)  # it is the new plan's turn, and this is the old one's address
            self._start(socket.aclose(), f"close:{slot.connection}")
        return None

    async def _handed_out(self, slot: Slot, plan: ConnectionPlan, request: RestRequest) -> str:
        """The address the venue gives this one connection. It may hold a secret: neither it nor the reply is logged or recorded.

        Raises:
            VenueError, FrameError: there is none now.
        """
        # Two sockets of one plan (a successor) ask at the same time, and must not share the answer.
        body = await self.rest.ask(replace(request, key=f"{request.key or plan.name}/{slot.connection}"))
        try:
            return self.venue.address(plan, body)
        except Exception as error:
            raise FrameError(f"the reply with the socket's address cannot be read ({type(error).__name__})") from None

    async def _wait_for_turn(self, slot: Slot, address: str) -> None:
        budget = self._connects.get(address)
        if budget is None:
            limits = self.venue.limits
            budget = self._connects[address] = ConnectBudget(limits.connects, limits.connects_window_seconds)
        while True:
            wait = max(slot.not_before, self._halted_until) - self._clock.now()
            if wait > 0:
                await self._sleep(wait)
                continue
            when = budget.reserve(self._clock.now())
            await self._sleep(when - self._clock.now())
            if self._halted_until <= self._clock.now():
                return

    async def _sleep(self, duration: int) -> None:
        if duration > FOREVER // 2:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(max(0, duration) / SECOND)

    async def _carry(self, slot: Slot, socket: FrameSocket) -> bool:
        """Lives with an open socket. True: the slot is done."""
        venue, connection = self.venue.name, slot.connection
        opened_at = self._clock.now()
        slot.socket = socket
        slot.troubled = False
        reason = Reason.STOPPED
        log.info("connected", venue=venue, connection=connection, plan=slot.plan.name)
        self._emit(Connected(opened_at, venue, connection, slot.plan))
        try:
            socket.listen(self._receiver(venue, connection))
            reason = await socket.ended
        finally:
            slot.socket = None
            socket.end(Reason.STOPPED)
            now = self._clock.now()
            self._emit(Disconnected(now, venue, connection, reason))
            log.info("disconnected", venue=venue, connection=connection, reason=reason.value)
            if reason is Reason.STOPPED:
                await socket.aclose()
        if socket.failure is not None:
            self.task_deaths += 1
            log.error("frame_not_handled", venue=venue, connection=connection, error=trail(socket.failure))
        self._start(socket.aclose(), f"close:{connection}")
        if slot.retired or slot.successor is not None:
            return True
        slot.backoff.lived(now - opened_at)
        slot.not_before = now + slot.backoff.next_delay()
        return False

    def _connect_failed(self, slot: Slot, error: VenueError | FrameError) -> None:
        now = self._clock.now()
        delay = slot.backoff.next_delay()
        if isinstance(error, RetryLater):
            delay = max(delay, int(error.seconds * SECOND))
        slot.not_before = now + delay
        if not slot.troubled:
            slot.troubled = True
            log.warning("connect_failed", venue=self.venue.name, connection=slot.connection, error=str(error))
        self._failed_connects += 1
        if self._failed_connects >= UNREACHABLE_AFTER and all(other.socket is None for other in self.slots.values()):
            self._emit(VenueHalted(now, self.venue.name, Reason.UNREACHABLE, slot.not_before))

    # -- the venue as a whole
    def _replied(self, request: RestRequest, body: bytes, error: str) -> None:
        self._emit(RestReplied(self._clock.now(), self.venue.name, request, body, error))

    def _halt(self, reason: str, until: int | None) -> None:
        """No new request and no new connect before `until`; sockets that are open are the venue's to cut."""
        now = self._clock.now()
        already = self._halted_until > now
        self._halted_until = max(self._halted_until, FOREVER if until is None else until)
        if not already:
            log.error("venue_halted", venue=self.venue.name, reason=reason, seconds=until and (until - now) / SECOND)
            self._emit(VenueHalted(now, self.venue.name, reason, until))

    # -- tasks
    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.create_task(work, name=f"feed:{self.venue.name}:{name}")

    async def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> NoReturn:
        backoff = Backoff(Random(f"{self._seed}:{self.venue.name}:{name}"))
        while True:
            try:
                await work()
            except Exception as error:
                self._died(name, error)
            await asyncio.sleep(backoff.next_delay() / SECOND)

    def _died(self, name: str, error: Exception) -> None:
        self.task_deaths += 1
        log.error("feed_task_died", venue=self.venue.name, task=name, error=trail(error))
