"""The publisher against real brokers: good, dying, refusing, mute, and somebody else's client with our name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiomqtt
import orjson
import pytest
from alert_rig import INSTANCE, PREFIX, Broker, Heard, Listener, MakeRig, Rig, eventually, quick
from alert_views import asset, at, depth, market, service, venue
from blockbuster import blockbuster_ctx
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from structlog.testing import capture_logs

from monitor.alerts import mqtt
from monitor.alerts.broker import BrokerFault, BrokerOptions
from monitor.alerts.delivery import Delivery
from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.mqtt import BARE_CLOSES
from monitor.alerts.payloads import LiquidationPayload, rfc3339
from monitor.alerts.rules.base import LiquidationContext
from monitor.alerts.settings import AlertsSettings
from monitor.errors import SettingsError

HERE = Path(__file__).parent
MakeBroker = Callable[..., Broker]
FROM = LiquidationContext("v", "m", "complete")


class Source:
    """An engine whose alerts go through a delivery."""

    def __init__(self, rig: Rig) -> None:
        self.engine = AlertEngine(AlertsSettings(), INSTANCE)
        self.delivery = Delivery(rig.topics, rig.outbox, rig.board, rig.publisher)
        self.sent: list[tuple[str, int]] = []

    def burst(self, name: str, usd: float = 6e6, second: float = 0, received_at: int | None = None) -> list[Transition]:
        context = LiquidationContext("v", "m", "complete", received_at=received_at)
        found = self.engine.on_liquidation(name, "long", usd, at(second), context)
        self.delivery.transitions(found)
        self.sent += [(t.payload.id, t.payload.sequence) for t in found]
        return found


def keys(heard: list[Heard]) -> list[tuple[str, int]]:
    return [(h.json["id"], h.json["sequence"]) for h in heard if h.topic.startswith(f"{PREFIX}/alerts/")]


async def test_what_arrives_is_the_contract(broker: Broker, make_rig: MakeRig) -> None:
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    async with Listener(broker.port) as listener:
        await eventually(lambda: rig.publisher.connected)
        received = rig.publisher._clock.now()
        source.burst("BTC", received_at=received)
        view = service(markets=(market(),), assets=(asset(figures=(depth(),)),), venues=(venue(),))
        source.delivery.second(view)
        source.delivery.liquidation(
            LiquidationPayload(
                "undertow.liquidation.v1",
                "v",
                "m",
                "BTC",
                "long",
                1.0,
                6e4,
                "fill",
                6e4,
                "complete",
                rfc3339(0),
                rfc3339(1),
            )
        )
        wanted = {"alerts/BTC/liquidation_burst/long", "open/BTC/liquidation_burst/long", "regimes/BTC",
                  "feeds/binance_usdm", "liquidations/BTC", f"instances/{INSTANCE}/availability"}  # fmt: skip
        await listener.until(lambda heard: {h.topic.removeprefix(f"{PREFIX}/") for h in heard} >= wanted)
        assert {h.topic.removeprefix(f"{PREFIX}/") for h in listener.heard} == wanted
        alert = listener.of("alerts/BTC/liquidation_burst/long")[0]
        assert alert.json["transition"] == "opened"
        assert alert.properties is not None
        assert alert.properties.ContentType == "application/json"
        assert alert.properties.UserProperty == [("schema", "undertow.alert.v1")]
        assert not hasattr(alert.properties, "MessageExpiryInterval")
        assert listener.of("open/BTC/liquidation_burst/long")[0].properties.MessageExpiryInterval == 180
        assert listener.of("liquidations/BTC")[0].qos == 0
        assert listener.of(f"instances/{INSTANCE}/availability")[-1].body == b"online"
        await eventually(lambda: len(rig.outbox) == 0)
        assert rig.latencies[0][0] == received
        assert rig.latencies[0][1] > received
        # Held for those who come later; the alert's close clears its topic, and views that end take theirs along.
        async with Listener(broker.port) as later:
            await later.until(lambda heard: len(heard) == 4)
            assert all(h.retained for h in later.heard)
            assert later.of("alerts/BTC/liquidation_burst/long") == []
            for second in range(1, 200):
                source.delivery.transitions(source.engine.on_second(service(second), at(second)))
            source.delivery.second(service(markets=(), assets=(), venues=()))
            empty = {"open/BTC/liquidation_burst/long", "regimes/BTC", "feeds/binance_usdm"}
            await later.until(lambda heard: {h.topic.removeprefix(f"{PREFIX}/") for h in heard if not h.body} == empty)
        async with Listener(broker.port) as last:
            await last.until(lambda heard: len(heard) == 1)
        await rig.publisher.stop()
        await listener.until(lambda heard: heard[-1].body == b"offline")
    assert rig.publisher.failures == dict.fromkeys(BrokerFault, 0)
    rig.store.flush()


class Durable:
    """A subscriber whose session outlives its connections; it never drops what the broker has for it."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, int]] = []
        self._port = port
        self._task = asyncio.create_task(self._run())
        self.ready = asyncio.Event()

    async def _run(self) -> None:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 60
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with aiomqtt.Client(
                    "127.0.0.1", self._port, identifier="durable", protocol=aiomqtt.ProtocolVersion.V5, timeout=2,
                    clean_start=False, properties=properties, keepalive=5,
                ) as client:  # fmt: skip
                    await client.subscribe(f"{PREFIX}/alerts/#", qos=1)
                    self.ready.set()
                    async for message in client.messages:
                        body = orjson.loads(message.payload)
                        self.heard.append((body["id"], body["sequence"]))
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await self._task


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_broker_killed_and_restarted_loses_nothing(
    make_broker: MakeBroker, make_rig: MakeRig, how: signal.Signals
) -> None:
    broker = make_broker(persistence=True)
    durable = Durable(broker.port)
    await durable.ready.wait()
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    acknowledged: dict[tuple[str, int], float] = {}
    plain = rig.outbox.acknowledged
    rig.outbox.acknowledged = lambda e: (acknowledged.__setitem__((e.id, e.sequence), time.monotonic()), plain(e))[1]  # type: ignore[method-assign]
    await eventually(lambda: rig.publisher.connected)
    kills = []
    with capture_logs() as logs:
        for n in range(300):
            source.burst(f"A{n % 100}", usd=(6e6, 14e6, 40e6)[n // 100], second=n // 100)
            if n in (120, 220):
                await asyncio.to_thread(broker.kill, how)
                kills.append(time.monotonic())
            if n in (150, 250):
                await eventually(lambda: not rig.publisher.connected)
                await asyncio.to_thread(broker.start)
            await asyncio.sleep(0.003)
        await eventually(lambda: len(rig.outbox) == 0, 30)
    assert len(source.sent) == 300
    # Killed hard, Mosquitto itself forgets what it took since it last wrote its database (up to a second, and the writing).
    forgiven = {
        k for k, t in acknowledged.items() if how == signal.SIGKILL and any(0 <= at_kill - t < 2 for at_kill in kills)
    }
    await eventually(lambda: set(durable.heard) >= set(source.sent) - forgiven)
    await durable.stop()
    assert set(acknowledged) == set(source.sent)
    assert set(durable.heard) <= set(source.sent)
    for identity in {i for i, _ in source.sent}:
        sequences = [s for i, s in dict.fromkeys(durable.heard) if i == identity]
        assert sequences == sorted(sequences)
    downs = [log for log in logs if log["log_level"] == "warning"]
    assert len(downs) <= 6, downs  # for each outage: broken, unreachable, and one way a half-open start may answer


async def test_retained_are_told_again_to_a_broker_that_forgot(broker: Broker, make_rig: MakeRig) -> None:
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    source.burst("BTC")
    source.burst("ETH")
    await eventually(lambda: len(rig.outbox) == 0)
    broker.kill()
    for second in range(1, 200):  # closes while the broker is away: nothing may stand there afterwards
        changes = source.engine.on_second(service(second, markets=(market(asset="ETH"),)), at(second))
        source.delivery.transitions(changes)
        if changes:
            break
    broker.start()
    await eventually(lambda: rig.publisher.connects == 2 and len(rig.outbox) == 0)
    async with Listener(broker.port) as listener:
        await listener.until(lambda heard: len(heard) == 2)
        assert [h.topic.removeprefix(f"{PREFIX}/") for h in sorted(listener.heard, key=lambda h: h.topic)] == [
            f"instances/{INSTANCE}/availability",
            "open/BTC/liquidation_burst/long",
        ]


async def test_alert_raised_while_away_survives_a_restart_of_the_service(
    make_broker: MakeBroker, make_rig: MakeRig
) -> None:
    broker = make_broker()
    broker.kill()
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    opened = source.burst("BTC")[0]
    await eventually(lambda: rig.publisher.failures[BrokerFault.UNREACHABLE] > 1)
    rig.task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await rig.task
    rig.store.close()
    broker.start()
    async with Listener(broker.port) as listener:
        again = make_rig(quick(broker.port)).start()
        await listener.until(lambda heard: (opened.payload.id, 1) in keys(heard))
        await eventually(lambda: len(again.outbox) == 0)


async def test_acl_refusal_keeps_the_row_names_it_once_and_delivers_later(
    make_broker: MakeBroker, make_rig: MakeRig
) -> None:
    folder_acl = ["user undertow", f"topic write {PREFIX}/open/#", f"topic write {PREFIX}/instances/#"]
    broker = make_acl_broker(make_broker, folder_acl)
    options = quick(broker.port, username="undertow", password_file=broker.folder / "password")
    rig = make_rig(options)
    source = Source(rig)
    with capture_logs() as logs:
        rig.start()
        source.burst("BTC")
        source.burst("ETH")
        await eventually(lambda: rig.publisher.failures[BrokerFault.NOT_AUTHORIZED] >= 4)
        assert len(rig.outbox) == 2
        assert rig.publisher.connected
    errors = [log for log in logs if log["log_level"] == "error"]
    assert len(errors) == 1, errors
    assert "alerts/" in errors[0]["topic"]
    assert all("secret" not in str(log) for log in logs)
    write_acl(broker, [*folder_acl, f"topic write {PREFIX}/alerts/#"])
    broker.process.send_signal(signal.SIGHUP)
    await eventually(lambda: len(rig.outbox) == 0)
    assert rig.publisher.refused_topics == ()


def write_acl(broker: Broker, lines: list[str]) -> None:
    (broker.folder / "acl").write_text("\n".join(lines) + "\n")


def make_acl_broker(make_broker: MakeBroker, acl: list[str]) -> Broker:
    broker = make_broker()
    broker.kill()
    (broker.folder / "password").write_text("secret-1\n")
    (broker.folder / "users").touch(mode=0o600)
    subprocess.run(
        ["mosquitto_passwd", "-b", str(broker.folder / "users"), "undertow", "secret-1"],
        check=True,
        capture_output=True,
    )
    write_acl(broker, acl)
    broker.extra = (f"password_file {broker.folder}/users", f"acl_file {broker.folder}/acl", "allow_anonymous false")
    return broker.start()


async def test_wrong_password_is_named_once_and_a_right_one_is_taken_up(
    make_broker: MakeBroker, make_rig: MakeRig
) -> None:
    broker = make_acl_broker(make_broker, ["user undertow", f"topic write {PREFIX}/#"])
    wrong = broker.folder / "mine"
    wrong.write_text("secret-2\n")
    with capture_logs() as logs:
        rig = make_rig(quick(broker.port, username="undertow", password_file=wrong)).start()
        Source(rig).burst("BTC")
        await eventually(lambda: rig.publisher.failures[BrokerFault.BAD_CREDENTIALS] >= 3)
        assert "refuses the user or password" in rig.publisher.fault
        assert len([log for log in logs if log["log_level"] == "warning"]) == 1
        wrong.unlink()
        await eventually(lambda: rig.publisher.failures[BrokerFault.LOCAL] >= 1)
        wrong.write_text("secret-1\n")
        await eventually(lambda: len(rig.outbox) == 0)
    assert all("secret" not in str(log) for log in logs)


async def test_tls(make_broker: MakeBroker, make_rig: MakeRig, certificates: Path) -> None:
    listener = (
        f"cafile {certificates}/ca.pem", f"certfile {certificates}/server.pem", f"keyfile {certificates}/server.key",
        "require_certificate true",
    )  # fmt: skip
    broker = make_broker(listener_extra=listener)
    url = f"mqtts://localhost:{broker.port}"
    mine = {"client_cert": certificates / "client.pem", "client_key": certificates / "client.key"}

    def options(**changes: object) -> BrokerOptions:
        made = BrokerOptions.from_settings(url, INSTANCE, **{"ca_file": certificates / "ca.pem", **mine, **changes})
        return quick(made.port, host=made.host, tls=made.tls, ca_file=made.ca_file, client_cert=made.client_cert,
                     client_key=made.client_key)  # fmt: skip

    good = make_rig(options()).start()
    Source(good).burst("BTC")
    await eventually(lambda: len(good.outbox) == 0)
    await good.publisher.stop()
    for number, (changes, fault) in enumerate(
        (
            ({"ca_file": certificates / "other-ca.pem"}, BrokerFault.TLS),
            ({"ca_file": certificates / "none.pem"}, BrokerFault.LOCAL),
        )
    ):
        with capture_logs() as logs:
            bad = make_rig(options(**changes), f"bad{number}.sqlite").start()
            await eventually(lambda b=bad, f=fault: b.publisher.failures[f] >= 3)
            assert len([log for log in logs if log["log_level"] == "warning"]) == 1
            assert not bad.publisher.connected
            await bad.publisher.stop()


@contextlib.asynccontextmanager
async def tcp_server(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]) -> AsyncIterator[int]:
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


CONNACK = bytes([0x20, 0x03, 0x00, 0x00, 0x00])


async def test_a_broker_that_never_acknowledges(make_rig: MakeRig) -> None:
    connections = 0

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.read(10)
        writer.write(CONNACK)
        while await reader.read(65536):
            pass
        writer.close()

    async with tcp_server(mute) as port:
        rig = make_rig(quick(port, publish_timeout_seconds=0.2)).start()
        source = Source(rig)
        source.burst("BTC")
        await eventually(lambda: rig.publisher.failures[BrokerFault.TIMEOUT] >= 2)
        assert not rig.publisher.connected
        assert len(rig.outbox) == 1
        assert connections >= 2
        await rig.publisher.stop()


async def test_a_broker_that_drips_and_one_that_never_says_connack(make_rig: MakeRig) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        writer.close()

    async with tcp_server(silent) as port:
        with capture_logs() as logs:
            rig = make_rig(quick(port, connect_timeout_seconds=0.2)).start()
            await eventually(lambda: rig.publisher.failures[BrokerFault.TIMEOUT] >= 3)
            assert len([log for log in logs if log["log_level"] == "warning"]) == 1
        await rig.publisher.stop()


async def test_garbage_instead_of_mqtt(make_rig: MakeRig) -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 3)
        writer.close()

    async with tcp_server(garbage) as port:
        rig = make_rig(quick(port, connect_timeout_seconds=0.2)).start()
        await eventually(lambda: sum(rig.publisher.failures.values()) >= 3)
        assert not rig.publisher.connected
        await rig.publisher.stop()


@pytest.mark.parametrize("how", ["refused", "black hole"])
async def test_engine_side_cost_while_the_broker_is_dead(make_rig: MakeRig, how: str) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        if how == "black hole":
            full.listen(0)
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:  # fills the backlog: further connects get no answer at all
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(full.getsockname())
        else:
            fillers = []
        rig = make_rig(quick(full.getsockname()[1], connect_timeout_seconds=0.3)).start()
        source = Source(rig)
        costs, lags = [], []
        for n in range(300):
            began = time.perf_counter()
            source.burst(f"A{n}", second=n / 100)
            costs.append(time.perf_counter() - began)
            asleep = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(time.perf_counter() - asleep - 0.002)
        await eventually(lambda: sum(rig.publisher.failures.values()) >= 1)
        for filler in fillers:
            filler.close()
        costs.sort()
        lags.sort()
        print(f"{how}: burst with rule, payload and append p50 {costs[150] * 1e6:.0f} us, p99 {costs[297] * 1e6:.0f} us;"
              f" loop lag p50 {lags[150] * 1e3:.2f} ms, p99 {lags[297] * 1e3:.2f} ms")  # fmt: skip
        assert len(rig.outbox) == 300
        assert costs[150] < 0.001
        await rig.publisher.stop()


async def test_session_taken_over_by_another_service_is_named_and_not_fought(broker: Broker, make_rig: MakeRig) -> None:
    """Mosquitto before 2.0.15 closes without a word here; later ones say 142. Either way the first one yields."""
    with capture_logs() as logs:
        first = make_rig(quick(broker.port)).start()
        await eventually(lambda: first.publisher.connected)
        second = make_rig(quick(broker.port), "second.sqlite").start()
        await asyncio.wait_for(first.task, 10)
        assert first.publisher.finished
        assert not first.publisher.connected
        assert first.publisher.failures[BrokerFault.SESSION_TAKEN_OVER] == 1
        assert "another client uses our client id" in first.publisher.fault
        await eventually(lambda: second.publisher.connected)
        assert second.publisher.connects == 1
    assert len([log for log in logs if "another client" in log["event"]]) == 1
    async with Listener(broker.port) as listener:
        await listener.until(bool)
        assert listener.of(f"instances/{INSTANCE}/availability")[0].body == b"online"


async def test_session_taken_over_as_the_standard_says_it(make_rig: MakeRig) -> None:
    async def taker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(CONNACK)
        publish = await reader.read(65536)  # `online`, QoS 1: acknowledge its packet id
        topic_length = int.from_bytes(publish[2:4], "big")
        writer.write(bytes([0x40, 0x02]) + publish[4 + topic_length : 6 + topic_length])
        writer.write(bytes([0xE0, 0x01, 0x8E]))
        await reader.read(65536)
        writer.close()

    async with tcp_server(taker) as port:
        rig = make_rig(quick(port)).start()
        await asyncio.wait_for(rig.task, 10)
        assert rig.publisher.finished
        assert rig.publisher.connects == 1


async def test_a_broker_that_closes_again_and_again_is_not_fought(make_rig: MakeRig) -> None:
    connects = 0

    async def closer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connects
        hello = await reader.read(65536)
        connects += b"-probe-" not in hello
        writer.write(CONNACK)
        publish = await reader.read(65536)
        if b"-probe-" not in hello:
            topic_length = int.from_bytes(publish[2:4], "big")
            writer.write(bytes([0x40, 0x02]) + publish[4 + topic_length : 6 + topic_length])
            await writer.drain()
        writer.close()

    async with tcp_server(closer) as port:
        rig = make_rig(quick(port, connect_timeout_seconds=0.2)).start()
        await eventually(lambda: "closes every connection" in rig.publisher.fault)
        assert connects == BARE_CLOSES
        assert not rig.publisher.finished
        await rig.publisher.stop()


async def test_will_on_kill_9_and_the_open_alert_comes_back_with_the_next_run(broker: Broker, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE)}

    def launch(alert: str) -> subprocess.Popen[bytes]:
        arguments = [sys.executable, str(HERE / "mqtt_process.py"), str(broker.port), str(tmp_path / "s.sqlite"), alert]
        return subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL)

    availability = f"instances/{INSTANCE}/availability"
    async with Listener(broker.port) as listener:
        first = launch("BTC")
        await listener.until(lambda _: bool(listener.of("open/BTC/liquidation_burst/long")))
        assert [h.body for h in listener.of(availability)] == [b"online"]
        first.kill()
        await listener.until(lambda _: len(listener.of(availability)) == 2)
        assert listener.of(availability)[-1].body == b"offline"
        first.wait(10)
        second = launch("")
        await listener.until(lambda _: len(listener.of("open/BTC/liquidation_burst/long")) == 2)
        bodies = {h.body for h in listener.of("open/BTC/liquidation_burst/long")}
        assert len(bodies) == 1  # same id, same sequence
        assert len(set(keys(listener.heard))) == 1
        second.kill()
        second.wait(10)


async def test_oversized_and_full_print_queue_do_not_hang(make_broker: MakeBroker, make_rig: MakeRig) -> None:
    broker = make_broker(extra=("allow_anonymous true", "max_packet_size 1400"))
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    source.burst("BTC")
    await eventually(lambda: rig.publisher.failures[BrokerFault.TOO_LARGE] >= 1)
    assert rig.publisher.connected
    assert len(rig.outbox) == 1
    payload = LiquidationPayload(
        "undertow.liquidation.v1", "v", "m", "BTC", "long", 1.0, 6e4, "fill", 6e4, "complete", rfc3339(0), rfc3339(1)
    )
    for _ in range(1500):
        source.delivery.liquidation(payload)
    assert rig.publisher.failures[BrokerFault.DROPPED_PRINT] == 500


async def test_what_is_retained_is_told_again_in_rounds(
    broker: Broker, make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "REPUBLISH_SECONDS", 0.1)
    monkeypatch.setattr(mqtt, "TICK_SECONDS", 0.05)
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    async with Listener(broker.port) as listener:
        source.burst("BTC")
        await listener.until(lambda _: len(listener.of("open/BTC/liquidation_burst/long")) >= 4)
        assert {h.body for h in listener.of("open/BTC/liquidation_burst/long")} == {source.engine.open_rows()[0].body}
        assert len(listener.of("alerts/BTC/liquidation_burst/long")) == 1


async def test_nothing_blocks_the_loop(make_broker: MakeBroker, make_rig: MakeRig) -> None:
    """Connect, publish, lose the broker, come back: no call of ours waits inside the loop."""
    broker = make_broker()
    rig = make_rig(quick(broker.port))
    source = Source(rig)
    with blockbuster_ctx("monitor.alerts"):
        rig.start()
        await eventually(lambda: rig.publisher.connected)
        source.burst("BTC")
        source.delivery.second(service(assets=(asset(figures=(depth(),)),)))
        await eventually(lambda: len(rig.outbox) == 0)
        await asyncio.to_thread(broker.kill)
        source.burst("ETH")
        await eventually(lambda: rig.publisher.failures[BrokerFault.UNREACHABLE] >= 1)
        await asyncio.to_thread(broker.start)
        await eventually(lambda: len(rig.outbox) == 0)
        await rig.publisher.stop()


async def test_wire_to_acknowledged(broker: Broker, make_rig: MakeRig) -> None:
    rig = make_rig(quick(broker.port)).start()
    source = Source(rig)
    await eventually(lambda: rig.publisher.connected)
    for n in range(300):
        source.burst(f"A{n}", received_at=rig.publisher._clock.now())
        await asyncio.sleep(0.002)
    await eventually(lambda: len(rig.latencies) == 300)
    waits = sorted(acked - received for received, acked in rig.latencies)
    print(f"engine to acknowledged: p50 {waits[150] / 1e6:.2f} ms, p99 {waits[297] / 1e6:.2f} ms")
    assert waits[150] < 50e6


@pytest.mark.parametrize(
    ("url", "more", "word"),
    [
        ("http://x", {}, "mqtt://host:1883"),
        ("mqtt://", {}, "mqtt://host:1883"),
        ("mqtt://host:99999", {}, "mqtt://host:1883"),
        ("mqtt://u:p@host", {}, "mqtt.password_file"),
        ("mqtt://10.0.0.1", {"username": "u", "password_file": Path("p")}, "allow_plaintext"),
        ("mqtt://host", {"ca_file": Path("c")}, "mqtts://"),
        ("mqtts://host", {"client_cert": Path("c")}, "together"),
        ("mqtts://host", {"password_file": Path("p")}, "mqtt.username"),
    ],
)
def test_options_that_cannot_be_are_refused(url: str, more: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word) as raised:
        BrokerOptions.from_settings(url, "i", **more)
    assert "p@host" not in str(raised.value)


def test_options_that_can() -> None:
    secret = {"username": "u", "password_file": Path("p")}
    assert BrokerOptions.from_settings("mqtt://127.0.0.1", "i", **secret).port == 1883
    assert BrokerOptions.from_settings("mqtts://broker.example", "i", **secret).port == 8883
    assert (
        BrokerOptions.from_settings("mqtt://10.0.0.1:7", "i", allow_plaintext=True, **secret).address
        == "mqtt://10.0.0.1:7"
    )
    assert threading.active_count() >= 1
