"""What leaves the service: nothing raised is lost, whatever the broker does; what stands retained is there again after it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from alert_rig import Broker, Heard, Listener
from e2e_child import running
from e2e_logs import Logs
from e2e_world import VENUES, World, eventually, live, service_on

from monitor.simulator.service import SimulatedVenues

PREFIX = "undertow/v1"
AVAILABILITY = f"{PREFIX}/instances/undertow-1/availability"


def external(broker: Broker) -> str:
    return f'[mqtt]\nurl = "mqtt://127.0.0.1:{broker.port}"\n'


def transitions(heard: list[Heard]) -> list[tuple[str, int]]:
    return [(str(h.json["id"]), int(str(h.json["sequence"]))) for h in heard if h.topic.startswith(f"{PREFIX}/alerts/")]


def retained(heard: list[Heard]) -> dict[str, Heard]:
    """The topics as a new subscriber finds them."""
    return {h.topic: h for h in heard if h.retained}


async def connected(world: World, state: bool = True) -> None:
    assert world.started is not None
    publisher = world.started.publisher
    assert publisher is not None
    await eventually(lambda: publisher.connected is state, 20, f"connected is {state}")


async def test_a_broker_killed_in_the_middle_of_a_cascade_loses_nothing(
    tmp_path: Path, make_broker: Callable[..., Broker], logs: Logs
) -> None:
    """A broker that keeps nothing: killed as alerts come, back later. All of them arrive, doubled at most by (id, sequence),
    in order; open alerts, regimes and feeds stand retained again; `offline` is the will's only while we are away.
    """
    broker = make_broker()
    async with (
        SimulatedVenues("cascade", 7, stepping=True, assets=("BTC", "ETH")) as sim,
        service_on(sim, tmp_path / "state", mqtt=external(broker)) as world,
    ):
        await connected(world)
        await world.play_ready()
        heard: list[Heard] = []
        async with Listener(broker.port) as first:
            await world.play(60 - sim.elapsed_ns / 1e9, until=lambda: len(world.alerts) >= 1)
            await first.until(lambda got: len(transitions(got)) == len(world.alerts))
            heard += first.heard
        broker.kill(signal.SIGKILL)
        await connected(world, state=False)
        assert world.started is not None
        seen = len(world.alerts)
        await world.play(70 - sim.elapsed_ns / 1e9, until=lambda: len(world.alerts) >= seen + 3)
        assert len(world.alerts) >= seen + 3
        waiting = len(world.started.outbox)
        assert waiting >= 3
        assert (await world.metrics_now()).one("outbox_alerts") == waiting
        assert (await world.metrics_now()).one("mqtt_connected") == 0
        status, body = await world.get("/api/v1/alerts")
        assert status == 200
        assert len(body["alerts"]) == len(world.open_alerts())
        broker.start()
        async with Listener(broker.port) as second:
            await connected(world)
            await second.until(lambda got: set(transitions(heard + got)) >= {(p.id, p.sequence) for p in world.alerts})
            wanted = {f"{PREFIX}/feeds/{venue}" for venue in VENUES} | {AVAILABILITY}
            wanted |= {f"{PREFIX}/regimes/{asset}" for asset in ("BTC", "ETH")}
            wanted |= {f"{PREFIX}/open/{a.asset}/{a.kind}/{a.subject}" for a in world.open_alerts()}
            await second.until(lambda got: {h.topic for h in got} >= wanted)
            await eventually(lambda: len(world.started.outbox) == 0)  # type: ignore[union-attr]
            heard += second.heard
        got = transitions(heard)
        expected = [(p.id, p.sequence) for p in world.alerts]
        assert set(got) == set(expected)
        for identity in {i for i, _ in expected}:
            order = list(dict.fromkeys(s for i, s in got if i == identity))
            assert order == sorted(order)
        print(
            f"broker killed: {len(expected)} transitions, {waiting} waited, doubled {sum(Counter(got).values()) - len(set(got))}"
        )
        async with Listener(broker.port) as late:
            await late.until(lambda got: set(retained(got)) >= wanted)
            assert retained(late.heard)[AVAILABILITY].body == b"online"
            for alert in world.open_alerts():
                standing = retained(late.heard)[f"{PREFIX}/open/{alert.asset}/{alert.kind}/{alert.subject}"].json
                assert (standing["id"], standing["sequence"]) == (alert.id, alert.sequence)
        assert len(logs.of("broker trouble")) <= 1
        assert logs.noise() == []
        assert logs.complaints() == []


async def test_alerts_raised_without_a_broker_arrive_after_a_restart_of_the_service(
    tmp_path: Path, make_broker: Callable[..., Broker], logs: Logs
) -> None:
    broker = make_broker()
    broker.kill()
    async with SimulatedVenues("cascade", 7, stepping=True, assets=("BTC",)) as sim:
        async with service_on(sim, tmp_path / "state", mqtt=external(broker)) as world:
            await world.play_ready()
            await world.play(60 - sim.elapsed_ns / 1e9, until=lambda: len(world.alerts) >= 3)
            raised = [(p.id, p.sequence) for p in world.alerts]
            assert len(raised) >= 3
            await world.stop()
        broker.start()
        async with (
            Listener(broker.port) as listener,
            service_on(sim, tmp_path / "state", mqtt=external(broker)) as world,
        ):
            await listener.until(lambda got: set(transitions(got)) >= set(raised))
            assert transitions(listener.heard)[: len(raised)] == raised
            await world.play_ready()
            assert [a.id for a in world.open_alerts("liquidation_burst")] == [raised[0][0]]
        assert logs.complaints() == []


async def test_a_broker_that_refuses_the_password(
    tmp_path: Path, make_broker: Callable[..., Broker], logs: Logs
) -> None:
    """Named once; everything else runs, alerts wait in the outbox and stand in the API. The password is nowhere."""
    secret = "correct-horse-battery-staple"
    (tmp_path / "passwords").write_text("somebody:$7$101$AAAAAAAAAAAAAAAA$" + "A" * 86 + "==\n")
    (tmp_path / "password").write_text(secret + "\n")
    broker = make_broker(extra=("allow_anonymous false", f"password_file {tmp_path / 'passwords'}"))
    mqtt = external(broker) + f'username = "desk"\npassword_file = "{tmp_path / "password"}"\n'
    async with live("cascade", stepping=True, folder=tmp_path / "state", mqtt=mqtt, assets=("BTC",)) as world:
        await world.play_ready()
        assert world.started is not None
        publisher = world.started.publisher
        assert publisher is not None
        await eventually(lambda: "password" in publisher.fault)
        await world.play(60 - world.sim.elapsed_ns / 1e9, until=lambda: len(world.alerts) >= 2)
        assert len(world.started.outbox) == len(world.alerts) >= 2
        _, body = await world.get("/api/v1/alerts")
        assert [a["id"] for a in body["alerts"]] == [world.alerts[0].id]
        scrape = await world.metrics_now()
        assert scrape.one("mqtt_publish_failures_total", reason="bad_credentials") >= 1
        assert scrape.one("mqtt_connected") == 0
        everything = scrape.text + repr(logs.lines) + str(await world.get("/api/v1/overview")) + repr(world.alerts)
        assert secret not in everything
        assert len([line for line in logs.lines if "password" in repr(line)]) == 1
        await world.stop()
        assert logs.complaints() == []


async def test_clean_stop_says_offline_and_kill_leaves_the_will(
    tmp_path: Path, make_broker: Callable[..., Broker]
) -> None:
    """A child process: SIGTERM publishes `offline` itself, kill -9 lets the broker say it."""
    broker = make_broker(persistence=True)
    async with SimulatedVenues("calm", 7, assets=("BTC",)) as sim, Listener(broker.port) as listener:
        availability = lambda: [h.body for h in listener.heard if h.topic == AVAILABILITY and not h.retained]  # noqa: E731
        async with running(sim, tmp_path / "a", mqtt=external(broker)) as child:
            await child.ready()
            await listener.until(lambda _: availability() == [b"online"])
            took = await child.stop()
            assert child.code == 0
            assert len(child.said("connected to the broker")) == 1
            print(f"SIGTERM of a running service: {took:.2f} s")
        await listener.until(lambda _: availability() == [b"online", b"offline"])
        async with running(sim, tmp_path / "b", mqtt=external(broker)) as child:
            await child.ready()
            await listener.until(lambda _: availability()[2:] == [b"online"])
            os.kill(child.pid, signal.SIGKILL)
            await listener.until(lambda _: availability()[2:] == [b"online", b"offline"], 30)


async def test_wire_to_acknowledgement(tmp_path: Path, logs: Logs) -> None:
    """Not a benchmark (that is elsewhere): a sanity check. Thresholds so low that the first liquidations raise alerts."""
    extra = "[alerts.liquidation_burst]\nfloor_usd = 1.0\ndepth_ratio = 0.000001\n"
    async with live("cascade", folder=tmp_path, speed=4.0, extra=extra) as world:
        await world.ready()
        assert world.started is not None
        outbox, histogram = world.started.outbox, world.started.process.alert_latency
        await eventually(lambda: len(world.transitions("liquidation_burst")) >= 2, 30, "the first liquidations")
        # A transition is told before it stands in the outbox: an empty one alone does not say that all were acknowledged.
        await eventually(lambda: histogram.buckets()[0][-1][1] >= 2 and len(outbox) == 0)
        buckets, total = histogram.buckets()
        count = buckets[-1][1]
        print(f"wire to acknowledgement: {count:g} alerts, mean {total / count * 1000:.1f} ms")
        assert count >= 2
        assert total / count < 1.0
        assert logs.complaints() == []


async def test_kill_nine_in_the_middle_of_an_alert(tmp_path: Path, make_broker: Callable[..., Broker]) -> None:
    """The next run of the service carries the alert on: same id, no sequence missing, doubled at most."""
    broker = make_broker()
    async with SimulatedVenues("cascade", 7, 8.0, assets=("BTC",)) as sim, Listener(broker.port) as listener:
        async with running(sim, tmp_path, mqtt=external(broker)) as child:
            await child.ready(3)
            await listener.until(lambda got: bool(transitions(got)), 30)
            os.kill(child.pid, signal.SIGKILL)
            await child.end()
        before = transitions(listener.heard)
        async with running(sim, tmp_path, mqtt=external(broker)) as child:
            await child.ready(3)
            restored = child.said("state restored")
            assert [row["open_alerts"] for row in restored] == [1]
            highest = max(sequence for _, sequence in before)
            await listener.until(lambda got: any(sequence > highest for _, sequence in transitions(got)), 40)
            await child.stop()
        after = transitions(listener.heard)
        assert {identity for identity, _ in after} == {before[0][0]}
        assert sorted({sequence for _, sequence in after}) == list(range(1, max(sequence for _, sequence in after) + 1))


async def test_the_embedded_broker_killed(tmp_path: Path, logs: Logs) -> None:
    """It is started again on its port; what stands retained is told again."""
    async with live(folder=tmp_path, assets=("BTC",)) as world:
        await world.ready(3)
        await connected(world)
        assert world.started is not None
        first = world.started.publisher.connects  # type: ignore[union-attr]
        for pid in brokers_of_this_process():
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: world.started.publisher.connects > first, 20, "connected again")  # type: ignore[union-attr]
        async with Listener(world.mqtt_port) as listener:
            wanted = {f"{PREFIX}/feeds/{venue}" for venue in VENUES} | {f"{PREFIX}/regimes/BTC", AVAILABILITY}
            await listener.until(lambda got: {h.topic for h in got} >= wanted)
        assert world.watch.lost == []
        assert logs.complaints() == []


def brokers_of_this_process() -> list[int]:
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            if b"mosquitto" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    assert found
    return found
