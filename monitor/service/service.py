"""One service from start to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import structlog

from monitor.alerts.broker import BrokerOptions
from monitor.alerts.delivery import Delivery
from monitor.alerts.embedded_broker import EmbeddedBroker
from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.mqtt import MqttPublisher
from monitor.alerts.outbox import Outbox
from monitor.alerts.payloads import AlertPayload
from monitor.alerts.retained import RetainedBoard
from monitor.alerts.topics import Topics
from monitor.capture.recorder import Recorder
from monitor.clock import Clock
from monitor.config import Settings
from monitor.config.broker import broker_of
from monitor.feed.runner import FeedRunner
from monitor.hub import Hub
from monitor.metrics.process import ProcessMetrics, probe_loop_lag
from monitor.service import collection, memory
from monitor.service.outlet import LiveOutlet
from monitor.service.seeds import fresh_seeds
from monitor.service.sink import Sink
from monitor.service.wiring import hub_options, venue_options
from monitor.state import StateStore
from monitor.venues.registry import VENUES
from monitor.views import ServiceView
from monitor.web.server import HttpServer

PIECE_PAUSE_SECONDS = 0.003  # a dozen pieces are done in a twentieth of a second, and what waited behind one is read

log = structlog.get_logger("service")


@dataclass(slots=True)
class Started:
    """What a caller may want to know once the service listens."""

    http_url: str
    mqtt_address: str
    hub: Hub
    publisher: MqttPublisher | None
    outbox: Outbox
    process: ProcessMetrics


class Service:
    """Puts the parts together. `run` returns after `stop`; everything is closed then."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        on_alert: Callable[[AlertPayload], None] | None = None,
        on_started: Callable[[Started], None] | None = None,
        on_second: Callable[[ServiceView], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock or Clock()
        self._on_alert = on_alert
        self._on_started = on_started
        self._on_second = on_second
        self._stopping = asyncio.Event()
        self._reseed: Callable[[], None] | None = None  # asks for fresh snapshots, once the feed runs
        self.hub: Hub | None = None
        self.sink: Sink | None = None

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`, SIGTERM or SIGINT. Raises SettingsError or StateError before anything is connected."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError):  # not in the main thread: the caller stops us
                loop.add_signal_handler(number, self.stop)
        async with AsyncExitStack() as stack:
            await self._run(loop, stack)
        log.info("stopped")

    async def _run(self, loop: asyncio.AbstractEventLoop, stack: AsyncExitStack) -> None:
        settings = self._settings
        now = self._clock.now
        process = ProcessMetrics()
        store = await asyncio.to_thread(StateStore.open, settings.state.path)
        stack.push_async_callback(asyncio.to_thread, store.close)
        topics = Topics(settings.mqtt.topic_prefix, settings.instance.name)
        outbox = Outbox(store, topics)
        alerts = AlertEngine(settings.alerts, settings.instance.name)
        board = RetainedBoard()
        before = await asyncio.to_thread(outbox.load)
        outbox.bind(loop)

        broker = await self._broker(stack)
        publisher = None
        if broker is not None:
            publisher = MqttPublisher(
                broker,
                topics,
                outbox,
                board,
                self._clock,
                lambda got, acked: process.alert_latency.observe(acked - got),
            )
        delivery = Delivery(topics, outbox, board, publisher)
        hub = self.hub = Hub(hub_options(settings), alerts, LiveOutlet(delivery, self._on_alert, self._on_second))
        series = await asyncio.to_thread(memory.restore, hub, alerts, store, now())
        restored = alerts.restore(before, now())
        delivery.restored(alerts.open_rows())
        if series or restored:
            log.info("state restored", baselines=series, open_alerts=restored, waiting=len(outbox))

        recorder = self._recorder(stack, lambda: loop.call_soon_threadsafe(self._rotated))
        sink = self.sink = Sink(hub, process, recorder)
        options = venue_options(settings)
        runner = FeedRunner([(VENUES[name], option) for name, option in options.items()], sink, self._clock)
        self._reseed = lambda: runner.execute(fresh_seeds(hub))

        def refresh() -> None:
            _refresh(process, hub, publisher, outbox, runner)

        def view() -> ServiceView:
            refresh()
            return hub.view

        sink.refresh = refresh
        _spread(hub, loop, runner.sink_failed)

        web = HttpServer(
            settings.http.listen, view, process, instance=settings.instance.name, max_series=settings.engine.max_series
        )
        address = await web.start()
        stack.push_async_callback(web.stop)
        process.count_compilations()
        stack.enter_context(collection.seldom())

        if self._on_started is not None:
            self._on_started(
                Started(f"http://{address}", broker.address if broker else "", hub, publisher, outbox, process)
            )
        log.info("running", http=f"http://{address}", mqtt=broker.address if broker else "off", venues=list(options))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(runner.run(), name="feed")
            if publisher is not None:
                tasks.create_task(publisher.run(), name="mqtt")
            probe = tasks.create_task(probe_loop_lag(process), name="loop-lag")
            saver = tasks.create_task(self._save(hub, alerts, store), name="saver")
            settling = tasks.create_task(collection.settle(lambda: _complete(hub.view)), name="settling")
            await self._stopping.wait()
            log.info("stopping")
            runner.stop()
            probe.cancel()
            saver.cancel()
            settling.cancel()
            if publisher is not None:
                await publisher.stop()
        memory.save(hub, alerts, store, now())

    async def _broker(self, stack: AsyncExitStack) -> BrokerOptions | None:
        mqtt = self._settings.mqtt
        if mqtt.url is not None:
            return broker_of(self._settings)
        embedded = EmbeddedBroker(mqtt.embedded_listen, self._settings.state.path.parent / "broker")
        options = await embedded.start(self._settings.instance.name, mqtt.topic_prefix)
        if options is None:
            return None
        keeper = asyncio.create_task(embedded.run(), name="embedded-broker")

        async def stop() -> None:
            await embedded.stop()
            await keeper

        stack.push_async_callback(stop)
        return options

    def _rotated(self) -> None:
        if self._reseed is not None:
            self._reseed()

    def _recorder(self, stack: AsyncExitStack, on_rotate: Callable[[], object]) -> Recorder | None:
        recording = self._settings.recording
        if not recording.enabled:
            return None
        recorder = Recorder(
            recording.directory,
            recording.max_total_gib,
            instance=self._settings.instance.name,
            on_rotate=on_rotate,
        )
        recorder.start()
        stack.push_async_callback(asyncio.to_thread, recorder.close)
        return recorder

    async def _save(self, hub: Hub, alerts: AlertEngine, store: StateStore) -> None:
        while True:
            await asyncio.sleep(memory.SAVE_SECONDS)
            memory.save_rules(hub, alerts, store, self._clock.now())
            for name in list(hub.assets):  # one after another, with frames in between
                await asyncio.sleep(PIECE_PAUSE_SECONDS)
                memory.save_model(hub, name, store, self._clock.now())


def _spread(hub: Hub, loop: asyncio.AbstractEventLoop, failed: Callable[[str, Exception], object]) -> None:
    """Lets frames pass between the pieces of a second's work."""

    def conclude() -> None:
        try:
            more = hub.conclude(pieces=1)
        except Exception as error:
            failed("second", error)
            return
        if more:
            loop.call_later(PIECE_PAUSE_SECONDS, conclude)

    hub.on_rest = lambda: loop.call_later(PIECE_PAUSE_SECONDS, conclude)


def _complete(view: ServiceView) -> bool:
    return bool(view.markets) and all(market.verified for market in view.markets)


def _refresh(
    process: ProcessMetrics, hub: Hub, publisher: MqttPublisher | None, outbox: Outbox, runner: FeedRunner
) -> None:
    """Figures that live outside the hub, read when somebody asks."""
    process.mqtt_connected = publisher.connected if publisher is not None else None
    process.outbox_alerts = len(outbox)
    process.outbox_oldest = outbox.oldest_at
    if publisher is not None:
        for reason, count in publisher.failures.items():
            process.mqtt_publish_failures[reason.value] = count
    for name, state in hub.states.items():
        state.rest_weight_ratio = runner.rest_weight_used_ratio(name)
