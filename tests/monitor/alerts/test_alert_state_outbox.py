"""The state file and the outbox: bounds, order, kill -9, and clear words when the disk or the file is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alert_rig import eventually
from alert_views import at

from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.outbox import MAX_BODIES, Entry, Outbox
from monitor.alerts.rules.base import LiquidationContext
from monitor.alerts.settings import AlertsSettings
from monitor.alerts.topics import Topics
from monitor.errors import StateError
from monitor.state import SCHEMA_VERSION, StateStore

TOPICS = Topics("undertow/v1", "test-1")
FROM = LiquidationContext("v", "m", "complete", received_at=1)
HERE = Path(__file__).parent
USD = {"watch": 6e6, "warning": 20e6, "critical": 60e6}


def opened(name: str, severity: str = "watch", second: float = 0) -> Transition:
    engine = AlertEngine(AlertsSettings(), "test-1")
    return engine.on_liquidation(name, "long", USD[severity], at(second), FROM)[0]


def life(name: str) -> list[Transition]:
    """opened, escalated to warning, escalated to critical."""
    engine = AlertEngine(AlertsSettings(), "test-1")
    found: list[Transition] = []
    for second, usd in enumerate((6e6, 14e6, 40e6)):
        found += engine.on_liquidation(name, "long", usd, at(second), FROM)
    assert [t.payload.sequence for t in found] == [1, 2, 3]
    return found


@pytest.fixture
def store(tmp_path: Path):
    with StateStore.open(tmp_path / "deep" / "state.sqlite") as store:
        yield store


async def drain(outbox: Outbox, number: int) -> list[Entry]:
    return [await asyncio.wait_for(outbox.take(), 5) for _ in range(number)]


async def test_nothing_is_taken_before_it_is_on_disk(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS)
    outbox.bind(asyncio.get_running_loop())
    held, go = threading.Event(), threading.Event()
    store.submit(lambda c: (held.set(), go.wait(10)))
    await asyncio.to_thread(held.wait, 5)
    outbox.append(opened("BTC"))
    await asyncio.sleep(0)
    assert outbox.take_now() is None
    assert len(outbox) == 1
    go.set()
    entry = (await drain(outbox, 1))[0]
    other = sqlite3.connect(store.path)
    assert other.execute("SELECT id, sequence FROM outbox").fetchall() == [(entry.id, 1)]
    assert other.execute("SELECT asset, kind, subject FROM open_alerts").fetchall() == [
        ("BTC", "liquidation_burst", "long")
    ]
    outbox.acknowledged(entry)
    await asyncio.to_thread(store.flush)
    assert other.execute("SELECT count(*) FROM outbox").fetchone() == (0,)
    other.close()


async def test_one_in_flight_per_alert_in_order_and_others_go_on(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS)
    outbox.bind(asyncio.get_running_loop())
    for transition in (*life("BTC"), *life("ETH")):
        outbox.append(transition)
        outbox.append(transition)  # once only by (id, sequence)
    assert len(outbox) == 6
    first = await drain(outbox, 2)
    assert [(e.asset, e.sequence) for e in first] == [("BTC", 1), ("ETH", 1)]
    assert outbox.take_now() is None
    outbox.failed(first[0])
    outbox.parked(first[1])
    again = (await drain(outbox, 1))[0]
    assert (again.asset, again.sequence) == ("BTC", 1)
    outbox.acknowledged(again)
    for sequence in (2, 3):
        entry = (await drain(outbox, 1))[0]
        assert (entry.asset, entry.sequence) == ("BTC", sequence)
        outbox.acknowledged(entry)
    assert outbox.take_now() is None
    assert not outbox.waiting
    outbox.unpark()
    assert [e.sequence for e in await drain(outbox, 1)] == [1]


async def test_bound_drops_the_least_severe_first_and_counts(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS, limit=4)
    outbox.bind(asyncio.get_running_loop())
    for name, severity in (("A", "critical"), ("B", "watch"), ("C", "warning"), ("D", "watch")):
        outbox.append(opened(name, severity))
    outbox.append(opened("E", "warning"))  # B goes
    outbox.append(opened("F", "critical"))  # D goes
    outbox.append(opened("G", "watch"))  # goes itself
    outbox.append(opened("H", "warning"))  # C, the oldest warning, goes
    assert outbox.dropped == {"watch": 3, "warning": 1, "critical": 0}
    assert len(outbox) == 4
    taken = await drain(outbox, 4)
    assert {e.asset for e in taken} == {"A", "E", "F", "H"}
    await asyncio.to_thread(store.flush)
    with sqlite3.connect(store.path) as other:
        assert {a for (a,) in other.execute("SELECT asset FROM outbox")} == {"A", "E", "F", "H"}
    other.close()


async def test_restart_gives_rows_order_oldest_and_open_alerts_back(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateStore.open(path) as store:
        outbox = Outbox(store, TOPICS)
        for transition in life("BTC"):
            outbox.append(transition)
        assert outbox.oldest_at == at(0)
    with StateStore.open(path) as store:
        outbox = Outbox(store, TOPICS)
        alerts = outbox.load()
        outbox.bind(asyncio.get_running_loop())
        assert [a.payload["sequence"] for a in alerts] == [3]
        assert AlertEngine(AlertsSettings(), "test-1").restore(alerts, at(9)) == 1
        assert outbox.oldest_at == at(0)
        bodies = []
        for _ in range(3):
            entry = (await drain(outbox, 1))[0]
            bodies.append((await outbox.message(entry)).body)
            outbox.acknowledged(entry)
        assert bodies == [t.body for t in life("BTC")]
        assert outbox.oldest_at is None
        outbox.append(opened("ETH", second=9))  # rows go on, numbers are not used twice
        assert (await drain(outbox, 1))[0].row > 0


async def test_bodies_of_a_long_outage_are_read_back(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS)
    outbox.bind(asyncio.get_running_loop())
    number = MAX_BODIES + 50
    wanted = {}
    for n in range(number):
        transition = opened(f"A{n}")
        wanted[transition.payload.id] = transition.body
        outbox.append(transition)
        if n % 200 == 0:
            await asyncio.to_thread(store.flush)
            await asyncio.sleep(0)
    taken = await drain(outbox, number)
    assert sum(entry.body is None for entry in taken) > 0
    for entry in taken:
        assert (await outbox.message(entry)).body == wanted[entry.id]


async def test_a_full_disk_delays_nothing_loses_nothing_and_is_said_once(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS)
    outbox.bind(asyncio.get_running_loop())
    store.query(lambda c: c.execute("PRAGMA max_page_count = 1").fetchall()).result()
    for n in range(200):
        outbox.append(opened(f"A{n}"))
    await eventually(lambda: bool(store.fault))
    assert "the disk is full; make room" in store.fault
    assert "\n" not in store.fault
    outbox.poll()
    taken = await drain(outbox, 200)  # what the disk refuses is still delivered
    assert [(await outbox.message(e)).body for e in taken[:1]] == [opened("A0").body]
    for entry in taken[100:]:
        outbox.acknowledged(entry)
    assert store.write_failures >= 1
    # Room again: the work that waited is done, in order.
    store._connection.execute("PRAGMA max_page_count = 100000")
    await eventually(lambda: not store.fault)
    await asyncio.to_thread(store.flush)
    with sqlite3.connect(store.path) as other:
        assert other.execute("SELECT count(*) FROM outbox").fetchone() == (100,)
        assert other.execute("SELECT count(*) FROM open_alerts").fetchone() == (200,)
    other.close()


def test_kill_9_loses_no_committed_row(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    process = subprocess.Popen(
        [sys.executable, str(HERE / "outbox_process.py"), str(path)], stdout=subprocess.PIPE, env=environment, text=True
    )
    assert process.stdout is not None
    said = [process.stdout.readline().split() for _ in range(60)]
    process.send_signal(signal.SIGKILL)
    said += [line.split() for line in process.stdout.read().splitlines() if len(line.split()) == 2]
    process.stdout.close()
    process.wait(10)
    with StateStore.open(path) as store:
        outbox = Outbox(store, TOPICS)
        alerts = outbox.load()
        rows = store.query(lambda c: c.execute("SELECT id, sequence FROM outbox").fetchall()).result()
    assert len(said) >= 60
    assert {(identity, int(sequence)) for identity, sequence in said} <= set(rows)
    # Both tables were written in one commit: neither is ahead of the other.
    assert {alert.payload["id"] for alert in alerts} == {identity for identity, _ in rows}
    assert len(outbox) == len(rows)


# -- the file itself
def test_values_are_kept_by_kind_and_key(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    with StateStore.open(path) as store:
        store.put("baseline", "BTC", {"acute": 1.5}, 7)
        store.put("baseline", "BTC", {"acute": 2.5}, 8)
        store.put("baseline", "ETH", [1, 2], 9)
        store.put("other", "BTC", 1, 9)
        store.remove("baseline", "ETH")
    with StateStore.open(path) as store:
        assert store.all("baseline") == {"BTC": ({"acute": 2.5}, 8)}
    assert store.close()


def test_work_that_can_never_be_done_does_not_block_the_rest(store: StateStore) -> None:
    store.submit(lambda c: c.execute("INSERT INTO no_such_table VALUES (?)", (object(),)))
    store.submit(lambda c: c.execute("INSERT INTO kv VALUES (?, ?, ?, ?)", ("k", object(), b"1", 1)))
    store.put("k", "fine", 1, 1)
    future = store.query(lambda c: int("x"))
    with pytest.raises(StateError):
        future.result(5)
    assert store.all("k") == {"fine": (1, 1)}
    assert store.dropped >= 2


@pytest.mark.parametrize("what", ["newer", "text", "other", "locked", "folder", "file"])
def test_a_file_that_cannot_be_used_is_named_in_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "state.sqlite"
    wanted = {
        "newer": f"written by a newer Undertow \\(schema 99, this one knows {SCHEMA_VERSION}\\)",
        "text": "not a readable SQLite database",
        "other": "a database of something else",
        "locked": "in use by another Undertow",
        "folder": "set state.path",
        "file": "set state.path",
    }[what]
    keep = None
    if what == "newer":
        StateStore.open(path).close()
        with sqlite3.connect(path) as c:
            c.execute("UPDATE schema_version SET version = 99")
        c.close()
    elif what == "text":
        path.write_bytes(b"this is no database at all, it is text" * 100)
    elif what == "other":
        with sqlite3.connect(path) as c:
            c.execute("CREATE TABLE recipes (a)")
        c.close()
    elif what == "locked":
        keep = StateStore.open(path)
    elif what == "folder":
        (tmp_path / "plain").write_text("")
        path = tmp_path / "plain" / "state.sqlite"
    else:
        path.mkdir()
    with pytest.raises(StateError, match=wanted) as raised:
        StateStore.open(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)
    if keep is not None:
        keep.close()
        StateStore.open(path).close()


async def test_append_costs_microseconds(store: StateStore) -> None:
    outbox = Outbox(store, TOPICS)
    outbox.bind(asyncio.get_running_loop())
    transitions = [opened(f"A{n}") for n in range(1000)]
    costs = []
    for transition in transitions:
        began = time.perf_counter()
        outbox.append(transition)
        costs.append(time.perf_counter() - began)
    costs.sort()
    print(f"append: p50 {costs[500] * 1e6:.1f} us, p99 {costs[990] * 1e6:.1f} us")
    assert costs[500] < 0.001
