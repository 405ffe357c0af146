"""The publisher: one task that keeps the broker told. Whatever the broker does, only this task waits for it.

Connect, `online`, every retained topic, then what the outbox holds; on any trouble the connection is dropped, named once, and
tried again with growing, jittered pauses. MQTT 5 only: a broker that speaks 3.1.1 alone is a named fault, because retained state
could not expire there and would show a false calm.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import ssl
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

import aiomqtt
import structlog
from aiomqtt.exceptions import MqttConnectError

from monitor.alerts.broker import BrokerFault, BrokerOptions
from monitor.alerts.client import (
    BAD_CREDENTIALS,
    SESSION_TAKEN_OVER,
    UNSPECIFIED,
    UNSUPPORTED_VERSION,
    CheckedClient,
    Refusal,
)
from monitor.alerts.outbox import Entry, Outbox
from monitor.alerts.payloads import Availability
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.takeover import another_runs
from monitor.alerts.topics import REPUBLISH_SECONDS, Message, Topics
from monitor.alerts.ulid import ulid
from monitor.clock import Clock
from monitor.errors import StateError

ALERT_WORKERS: Final = 8  # alerts in flight at once; with the two others below Mosquitto's receive maximum of 20
MAX_PRINTS: Final = 1_000  # liquidation prints that may wait for the socket; QoS 0, the oldest go
MAX_NAMED: Final = 1_000  # refused topics remembered, so that each kind is named once
STEADY_SECONDS: Final = 10.0  # a connection that stood this long starts the pauses anew
DRAIN_SECONDS: Final = 2.0  # a clean stop waits this long for the outbox
GIVE_UP_SECONDS: Final = 2.0  # and this long for a connecting thread, which nothing can stop
TICK_SECONDS: Final = 1.0
# A broker that closes without a word this often in this time has, most likely, somebody else with our client id on it. Coming back
# once a minute is no fight, and should it be something else, alerts still get through.
BARE_CLOSES: Final = 4
BARE_CLOSES_SECONDS: Final = 60.0

LatencyHook = Callable[[int, int], None]  # (frame received, broker acknowledged), ns

_WORDS: Final[dict[BrokerFault, str]] = {
    BrokerFault.UNREACHABLE: "cannot be reached; check mqtt.url and that the broker runs",
    BrokerFault.TLS: "TLS failed; check mqtt.ca_file and the broker's certificate",
    BrokerFault.BAD_CREDENTIALS: "refuses the user or password; check mqtt.username and mqtt.password_file",
    BrokerFault.CONNECT_REFUSED: "refuses the connection",
    BrokerFault.UNSUPPORTED: "lacks what is needed: MQTT 5, retained messages and QoS 1",
    BrokerFault.TIMEOUT: "does not answer",
    BrokerFault.DISCONNECTED: "broke the connection",
    BrokerFault.CLOSED_AGAIN: "closes every connection; another client probably uses our client id, give each service its own instance.name",
    BrokerFault.SESSION_TAKEN_OVER: "another client uses our client id; give each service its own instance.name, then restart this one",
    BrokerFault.LOCAL: "a file of the [mqtt] section cannot be read",
}
_WHAT_TO_DO: Final[dict[BrokerFault, str]] = {
    BrokerFault.NOT_AUTHORIZED: "give this user the right to write it",
    BrokerFault.TOO_LARGE: "raise its maximum packet size",
    BrokerFault.UNSUPPORTED: "use one with retained messages and QoS 1",
}
_SAYS_NO: Final = frozenset(
    {
        BrokerFault.TLS,
        BrokerFault.BAD_CREDENTIALS,
        BrokerFault.CONNECT_REFUSED,
        BrokerFault.UNSUPPORTED,
        BrokerFault.LOCAL,
    }
)


class _NoConnection(Exception):
    def __init__(self, fault: BrokerFault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault


class MqttPublisher:
    """`run` until `stop` or cancellation. Everything public is read or called in the loop's thread.

    connected: `online` was acknowledged and the connection stands. fault: one line on why it does not, "" when all is well.
    failures: counters for `mqtt_publish_failures_total`. finished: a session taken over; nothing is tried until a restart.
    """

    def __init__(
        self,
        options: BrokerOptions,
        topics: Topics,
        outbox: Outbox,
        board: RetainedBoard,
        clock: Clock,
        on_latency: LatencyHook | None = None,
    ) -> None:
        self.connected = False
        self.finished = False
        self.fault = ""
        self.connects = 0
        self.failures: dict[BrokerFault, int] = dict.fromkeys(BrokerFault, 0)
        self._options = options
        self._topics = topics
        self._outbox = outbox
        self._board = board
        self._clock = clock
        self._on_latency = on_latency
        self._prints: deque[Message] = deque()
        self._printed = asyncio.Event()
        self._stop = asyncio.Event()
        self._ended = asyncio.Event()
        self._running = False
        self._jitter = random.Random(f"mqtt back-off of {options.client_id}")
        self._closed_bare = False
        self._said: BrokerFault | None = None
        self._run_mark = ulid(clock.now(), options.instance, str(os.getpid()))
        self._bare_closes: deque[float] = deque(maxlen=BARE_CLOSES)
        self._refused: dict[str, tuple[str, BrokerFault]] = {}
        # Not "mqtt": that is the name of aiomqtt's own logger, which monitor.logs keeps quiet.
        self._log = structlog.get_logger("publisher").bind(broker=options.address)

    def print(self, message: Message) -> None:
        """A liquidation print: sent now or never."""
        if not self.connected:
            return
        if len(self._prints) >= MAX_PRINTS:
            self._prints.popleft()
            self.failures[BrokerFault.DROPPED_PRINT] += 1
        self._prints.append(message)
        self._printed.set()

    @property
    def refused_topics(self) -> tuple[str, ...]:
        """Topics the broker refuses now (the first MAX_NAMED of them)."""
        return tuple(self._refused)

    async def stop(self) -> None:
        """Deliver what waits (within DRAIN_SECONDS), say `offline`, leave. Returns when `run` has ended."""
        self._stop.set()
        if self._running:
            await self._ended.wait()

    async def run(self) -> None:
        self._running = True
        self._outbox.bind(asyncio.get_running_loop())
        attempt = 0
        try:
            while not self._stop.is_set():
                began = asyncio.get_running_loop().time()
                try:
                    await self._session()
                except _NoConnection as error:
                    if error.fault is BrokerFault.UNREACHABLE and self._closed_bare:
                        self._closed_bare = False  # the broker itself went away
                        self._bare_closes.pop()
                    self._down(error.fault, str(error))
                    if error.fault is BrokerFault.SESSION_TAKEN_OVER:
                        self.finished = True
                        return
                    if asyncio.get_running_loop().time() - began > STEADY_SECONDS:
                        attempt = 0
                    await self._pause(attempt, error.fault)
                    attempt += 1
        finally:
            self.connected = False
            self._running = False
            self._ended.set()

    async def _pause(self, attempt: int, fault: BrokerFault) -> None:
        options = self._options
        ceiling = options.refusal_backoff_ceiling_seconds if fault in _SAYS_NO else options.backoff_ceiling_seconds
        longest = min(ceiling, options.backoff_first_seconds * 2.0 ** min(attempt, 16))
        if self._fought_over():
            longest = BARE_CLOSES_SECONDS
            self._down(BrokerFault.CLOSED_AGAIN, f"{BARE_CLOSES} times within {BARE_CLOSES_SECONDS:.0f} s")
        seconds = longest * (0.5 + 0.5 * self._jitter.random())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()

    def _fought_over(self) -> bool:
        times = self._bare_closes
        now = asyncio.get_running_loop().time()
        return self._closed_bare and len(times) == BARE_CLOSES and now - times[0] < BARE_CLOSES_SECONDS

    async def _session(self) -> None:
        """One connection from its beginning to its end. Returns after a clean stop.

        Raises:
            _NoConnection: it did not come about, or ended.
        """
        client = await self._connect()
        if client is None:
            return
        self._closed_bare = False
        try:
            try:
                await client.send(Message.of(self._topics.availability(), Availability("online")))
            except Refusal as refusal:
                self._count(refusal)
                if refusal.connection_lost:
                    raise _NoConnection(refusal.fault, str(refusal)) from None
                self._refuse(self._topics.availability().topic, "availability", refusal)
            self._up()
            await self._serve(client)
            await self._goodbye(client)
        finally:
            self.connected = False
            client.abandon()

    async def _connect(self) -> CheckedClient | None:
        """A connection; None when asked to stop before the broker answered.

        Raises:
            _NoConnection: it did not come about.
        """
        options = self._options
        address = self._topics.availability()
        try:
            password, context = await asyncio.to_thread(lambda: (options.read_password(), options.tls_context()))
        except (OSError, ValueError) as error:
            self.failures[BrokerFault.LOCAL] += 1
            raise _NoConnection(BrokerFault.LOCAL, str(error)) from None
        if self._closed_bare and await another_runs(options, password, context, address, self._run_mark):
            self.failures[BrokerFault.SESSION_TAKEN_OVER] += 1
            raise _NoConnection(BrokerFault.SESSION_TAKEN_OVER, "another run is online under our name")
        client = CheckedClient(options, password, context, Message.of(address, Availability("offline")), self._run_mark)
        opening = asyncio.ensure_future(client.open())
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                client.abandon()  # ends the wait for an answer; a thread that still connects is waited for
                await asyncio.wait((opening,), timeout=GIVE_UP_SECONDS)
                client.abandon()
                if opening.done() and not opening.cancelled():
                    opening.exception()
                return None
            opening.result()
        except asyncio.CancelledError:
            # The connecting thread cannot be stopped; its end is awaited so that no second client of ours stays behind.
            await asyncio.wait((opening,), timeout=2 * options.connect_timeout_seconds + 1)
            if opening.done() and not opening.cancelled():
                opening.exception()
            client.abandon()
            raise
        except (aiomqtt.MqttError, OSError, ValueError) as error:
            client.abandon()
            fault = _fault_of(error)
            self.failures[fault] += 1
            raise _NoConnection(fault, str(error)) from None
        finally:
            stopping.cancel()
        return client

    async def _serve(self, client: CheckedClient) -> None:
        """Publish until stopped or lost. On a stop, what waits is delivered first, for a while."""
        self._board.mark_all()
        self._outbox.unpark()
        self._prints.clear()
        work: list[Coroutine[Any, Any, None]] = [self._alerts(client) for _ in range(ALERT_WORKERS)]
        work += [self._retained(client), self._printing(client), self._tick()]
        tasks = [asyncio.ensure_future(each) for each in work]
        watch = asyncio.ensure_future(self._lost(client))
        stop = asyncio.ensure_future(self._stop_and_drain())
        try:
            done, _ = await asyncio.wait((*tasks, watch, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, watch, stop):
                task.cancel()
            results = await asyncio.gather(*tasks, watch, stop, return_exceptions=True)
        if stop in done and not watch.done():
            return
        # The watcher's reason (session taken over) says more than the publish that failed with it.
        errors = [error for error in (results[-2], *results[:-2]) if isinstance(error, _NoConnection)]
        if errors:
            raise errors[0]
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _lost(self, client: CheckedClient) -> None:
        error = await client.lost()
        code = getattr(error, "rc", None)
        if getattr(code, "value", None) == SESSION_TAKEN_OVER:
            self.failures[BrokerFault.SESSION_TAKEN_OVER] += 1
            raise _NoConnection(BrokerFault.SESSION_TAKEN_OVER, "session taken over")
        # 128 is paho's own word for a connection that ended without a DISCONNECT from the broker.
        self._closed_bare = code is None or getattr(code, "value", None) == UNSPECIFIED
        if self._closed_bare:
            self._bare_closes.append(asyncio.get_running_loop().time())
        raise _NoConnection(BrokerFault.DISCONNECTED, str(error or "closed by the broker"))

    async def _stop_and_drain(self) -> None:
        await self._stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._outbox.drained()

    async def _alerts(self, client: CheckedClient) -> None:
        while True:
            entry = await self._outbox.take()
            try:
                await self._deliver(client, entry)
            except BaseException:
                self._outbox.failed(entry)
                raise

    async def _deliver(self, client: CheckedClient, entry: Entry) -> None:
        try:
            message = await self._outbox.message(entry)
        except StateError as error:
            self.failures[BrokerFault.LOCAL] += 1
            self._log.warning("an alert waits: its text cannot be read back", reason=str(error))
            self._outbox.parked(entry)
            return
        topic = message.address.topic
        try:
            await client.send(message)
        except Refusal as refusal:
            self._count(refusal)
            if refusal.connection_lost:
                raise _NoConnection(refusal.fault, str(refusal)) from None
            self._outbox.parked(entry)
            self._refuse(topic, message.address.row.name, refusal)
            return
        self._outbox.acknowledged(entry)
        self._accepted(topic)
        if self._on_latency is not None and entry.received_at is not None:
            self._on_latency(entry.received_at, self._clock.now())

    async def _retained(self, client: CheckedClient) -> None:
        while True:
            message = await self._board.take()
            topic = message.address.topic
            try:
                await client.send(message)
            except Refusal as refusal:
                self._count(refusal)
                if refusal.connection_lost:
                    self._board.failed(message)
                    raise _NoConnection(refusal.fault, str(refusal)) from None
                self._refuse(topic, message.address.row.name, refusal)  # due again with the next round
            except BaseException:
                self._board.failed(message)
                raise
            else:
                self._board.acknowledged(message)
                self._accepted(topic)

    async def _printing(self, client: CheckedClient) -> None:
        while True:
            while self._prints:
                try:
                    await client.send(self._prints.popleft())
                except Refusal as refusal:
                    self._count(refusal)
                    if refusal.connection_lost:
                        raise _NoConnection(refusal.fault, str(refusal)) from None
            self._printed.clear()
            await self._printed.wait()

    async def _tick(self) -> None:
        since_round = since_retry = 0.0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            since_round += TICK_SECONDS
            since_retry += TICK_SECONDS
            self._outbox.poll()
            if since_round >= REPUBLISH_SECONDS:
                since_round = 0.0
                self._board.mark_all()
            if since_retry >= self._options.refused_retry_seconds:
                since_retry = 0.0
                self._outbox.unpark()

    async def _goodbye(self, client: CheckedClient) -> None:
        try:
            await client.send(Message.of(self._topics.availability(), Availability("offline")))
        except Refusal as refusal:
            self._count(refusal)
            return
        await client.leave()

    # -- said once per change of state
    def _up(self) -> None:
        self.connected = True
        self.connects += 1
        self.fault = ""
        self._said = None
        self._log.info("connected to the broker", waiting=len(self._outbox))

    def _down(self, fault: BrokerFault, detail: str) -> None:
        self.fault = f"{self._options.address}: {_WORDS.get(fault, str(fault))} ({detail})"
        if fault is not self._said:
            self._said = fault
            self._log.warning(f"broker {_WORDS.get(fault, str(fault))}", fault=str(fault), detail=detail)

    def _refuse(self, topic: str, row: str, refusal: Refusal) -> None:
        known = any(name == row for name, _ in self._refused.values())
        if topic in self._refused or len(self._refused) < MAX_NAMED:
            self._refused[topic] = (row, refusal.fault)
        if not known:
            self._log.error(
                f"the broker refuses a topic; {_WHAT_TO_DO.get(refusal.fault, 'see its log')}",
                topic=topic, topics=row, fault=str(refusal.fault), detail=str(refusal),
            )  # fmt: skip

    def _accepted(self, topic: str) -> None:
        found = self._refused.pop(topic, None) if self._refused else None
        if found is not None and not any(name == found[0] for name, _ in self._refused.values()):
            self._log.info("the broker takes these topics again", topics=found[0])

    def _count(self, refusal: Refusal) -> None:
        self.failures[refusal.fault] += 1


def _fault_of(error: Exception) -> BrokerFault:
    if isinstance(error, MqttConnectError):
        code = error.rc if isinstance(error.rc, int) else getattr(error.rc, "value", None)
        if code in BAD_CREDENTIALS:
            return BrokerFault.BAD_CREDENTIALS
        return BrokerFault.UNSUPPORTED if code == UNSUPPORTED_VERSION else BrokerFault.CONNECT_REFUSED
    text = str(error).lower()
    if isinstance(error, ssl.SSLError) or "ssl" in text or "certificate" in text:
        return BrokerFault.TLS
    return BrokerFault.TIMEOUT if text == "operation timed out" else BrokerFault.UNREACHABLE
