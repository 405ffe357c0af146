"""The watcher: what it makes of messages, and that it comes back, or gives up with a reason, with a real broker."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest
from cli_rig import Running, free_port, mosquitto
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.cli.watch_board import MAX_REMEMBERED, MAX_ROWS, Board, filters

PREFIX = "undertow/v1"
ID = "01J0000000000000000000000"


def alert(sequence: int = 1, transition: str = "opened", number: int = 0, **changes: object) -> dict[str, Any]:
    return {
        "id": f"{ID}{number}",
        "sequence": sequence,
        "transition": transition,
        "asset": "BTC",
        "kind": "depth_drought",
        "subject": "all",
        "severity": "warning",
        "opened_at": "2026-02-05T10:00:00.000000Z",
        "at": "2026-02-05T10:00:01.000000Z",
        "summary": "BTC: half of the bids are gone.",
        **changes,
    }


def regime(name: str) -> dict[str, Any]:
    depth = {"bid": {"1%": {"usd": 45_200_000.0, "acute_ratio": 0.52}}, "ask": {}}
    books = {"verified": 2, "configured": 3}
    return {
        "at": "2026-02-05T10:00:01.000000Z", "asset": "BTC", "regime": name, "price_usd": 73_000.5, "depth": depth, "quality": {"books": books},
    }  # fmt: skip


def take(board: Board, topic: str, payload: Mapping[str, Any] | None, now: float = 0.0) -> str | None:
    shown = board.take(f"{PREFIX}/{topic}", orjson.dumps(payload) if payload is not None else b"", now)
    return None if shown is None else shown[0].plain


def drawn(board: Board) -> str:
    stream = io.StringIO()
    Console(file=stream, width=160).print(board.table("broker"))
    return stream.getvalue()


def test_a_transition_is_shown_once_however_often_it_comes() -> None:
    board = Board(PREFIX)
    topic = "alerts/BTC/depth_drought/all"
    assert (
        take(board, topic, alert(1))
        == "10:00:01 warning  BTC    depth_drought/all opened: BTC: half of the bids are gone."
    )
    assert take(board, topic, alert(1)) is None
    assert take(board, topic, alert(2, "closed")) is not None
    assert take(board, topic, alert(1)) is None
    assert take(board, topic, alert(1, number=1)) is not None, "another alert"
    board.forget()
    assert take(board, topic, alert(2, "closed")) is None, "also after a reconnect"
    assert board.repeated == 3


def test_what_is_remembered_is_bounded() -> None:
    board = Board(PREFIX)
    for number in range(MAX_REMEMBERED + 1):
        assert take(board, "alerts/BTC/depth_drought/all", alert(number=number)) is not None
    assert take(board, "alerts/BTC/depth_drought/all", alert(number=1)) is None
    assert take(board, "alerts/BTC/depth_drought/all", alert(number=0)) is not None, "forgotten, the oldest first"
    for number in range(MAX_ROWS + 5):
        take(board, f"open/BTC/depth_drought/{number}", alert())
        take(board, f"regimes/{number}", regime("calm"))
    assert len(board.open) == len(board.regimes) == MAX_ROWS


def test_open_alerts_and_regimes_stand_until_cleared_or_dead() -> None:
    board = Board(PREFIX)
    assert take(board, "open/BTC/depth_drought/all", alert()) is None
    assert take(board, "regimes/BTC", regime("normal")) == "10:00:01 BTC regime normal"
    assert take(board, "regimes/BTC", regime("normal"), 60.0) is None
    assert take(board, "regimes/BTC", regime("stressed"), 120.0) == "10:00:01 BTC regime stressed"
    assert board.take(f"{PREFIX}/instances/desk/availability", b"online", 0.0) is not None
    assert board.take(f"{PREFIX}/instances/desk/availability", b"online", 0.0) is None
    text = drawn(board)
    for part in ("desk online", "stressed", "73,000.50", "45.2M", "52%", "2/3", "half of the bids are gone"):
        assert part in text
    board.expire(181.0)
    assert not board.open
    assert "BTC" in board.regimes
    take(board, "open/BTC/depth_drought/all", alert(), 181.0)
    take(board, "open/BTC/depth_drought/all", None)
    take(board, "regimes/BTC", None)
    assert not board.open
    assert not board.regimes
    assert "no open alert" in drawn(board)


def test_the_worst_stands_on_top() -> None:
    board = Board(PREFIX)
    for number, severity in enumerate(("watch", "critical", "warning")):
        take(board, f"open/BTC/depth_drought/{number}", alert(severity=severity, summary=f"is {severity}"))
    text = drawn(board)
    assert text.index("is critical") < text.index("is warning") < text.index("is watch")


def test_what_a_terminal_would_obey_does_not_reach_it() -> None:
    board = Board(PREFIX)
    nasty = "a\x1b[2Jb\nc"
    line = take(board, "alerts/BTC/depth_drought/all", alert(summary=nasty))
    take(board, "open/BTC/depth_drought/all", alert(summary=nasty, asset=nasty))
    take(board, "regimes/BTC", regime(nasty))
    board.take(f"{PREFIX}/instances/\x1b/availability", b"online", 0.0)
    for text in (line or "", drawn(board).replace("\n", "")):
        assert text.isprintable()


@given(
    st.sampled_from(
        ["alerts/BTC/k/s", "open/BTC/k/s", "regimes/BTC", "regimes", "instances/x/availability", "else", ""]
    ),
    st.one_of(
        st.binary(max_size=30),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=2),
                st.dictionaries(
                    st.sampled_from(["id", "sequence", *alert(), *regime("x"), "bid", "1%", "books"]), inner
                ),
            ),
        ).map(orjson.dumps),
    ),
)
def test_whatever_comes_the_board_stands(topic: str, body: bytes) -> None:
    board = Board(PREFIX)
    board.take(f"{PREFIX}/{topic}", body, 0.0)
    board.take(f"{PREFIX}/{topic}", body, 0.0)
    drawn(board)


def test_subscriptions_are_those_of_the_table_of_topics() -> None:
    assert list(filters("a/b")) == [
        "a/b/instances/+/availability", "a/b/alerts/+/+/+", "a/b/open/+/+/+", "a/b/regimes/+",
    ]  # fmt: skip


async def publish(port: int, topic: str, payload: object, retain: bool = False) -> None:
    body = payload if isinstance(payload, str) else orjson.dumps(payload)
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish(f"{PREFIX}/{topic}", body, qos=1, retain=retain)


async def test_it_prints_drops_repeats_and_comes_back(start: Callable[..., Running], tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker") as port:
        await publish(port, "regimes/BTC", regime("normal"), retain=True)
        lines = start("watch", "--url", f"mqtt://127.0.0.1:{port}")
        data = start("watch", "--url", f"mqtt://127.0.0.1:{port}", "--json")
        for watcher in (lines, data):
            watcher.wait_for('regime normal|"regime":"normal"')
        for sequence in (1, 1, 2):
            await publish(port, "alerts/BTC/depth_drought/all", alert(sequence, "escalated"))
        await publish(port, "alerts/BTC/depth_drought/all", "not json")
        await publish(port, "alerts/BTC/depth_drought/all", alert(3, "closed"))
        for watcher in (lines, data):
            watcher.wait_for("closed")
    for watcher in (lines, data):
        watcher.wait_for("waiting for the broker")
    with mosquitto(tmp_path / "broker", port):
        for watcher in (lines, data):
            watcher.wait_for("connected")
        await publish(port, "alerts/BTC/depth_drought/all", alert(3, "closed"))
        await publish(port, "alerts/BTC/depth_drought/all", alert(1, number=7))
        for watcher in (lines, data):
            watcher.wait_for("opened")
            watcher.ask(signal.SIGINT)
            assert watcher.end() == 0
    assert sum("depth_drought/all" in line for line in lines.lines) == 4
    messages = [json.loads(line) for line in data.lines if line.startswith("{")]
    seen = [(m["payload"]["id"], m["payload"]["sequence"]) for m in messages if "/alerts/" in m["topic"]]
    assert seen == [(f"{ID}0", 1), (f"{ID}0", 2), (f"{ID}0", 3), (f"{ID}7", 1)]


def test_a_broker_that_refuses_is_named_and_not_asked_again(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("hunter2\n")
    with mosquitto(tmp_path / "broker", password=("desk", "right")) as port:
        (tmp_path / "desk.toml").write_text(
            f"[mqtt]\nurl = 'mqtt://127.0.0.1:{port}'\nusername = 'desk'\npassword_file = '{tmp_path}/wrong'\n"
        )
        watcher = start("watch", "-c", "desk.toml")
        assert watcher.end() == 1
        assert watcher.lines == [
            f"undertow: mqtt://127.0.0.1:{port} refuses us (Not authorized): check mqtt.username and mqtt.password_file"
        ]
        (tmp_path / "wrong").write_text("right\n")
        watcher = start("watch", "-c", "desk.toml")
        watcher.wait_for("connected")
        watcher.ask(signal.SIGTERM)
        assert watcher.end() == 0
    (tmp_path / "wrong").unlink()
    watcher = start("watch", "-c", "desk.toml")
    assert watcher.end() == 1
    assert "cannot be read" in watcher.text


def test_a_broker_that_is_not_there_is_waited_for(start: Callable[..., Running], tmp_path: Path) -> None:
    port = free_port()
    watcher = start("watch", "--url", f"mqtt://127.0.0.1:{port}")
    watcher.wait_for("waiting for the broker")
    with mosquitto(tmp_path / "broker", port):
        watcher.wait_for("connected")
        watcher.ask(signal.SIGTERM)
        assert watcher.end() == 0
    assert len(watcher.lines) == 2, "said once per change"


@pytest.fixture(autouse=True)
def _needs_mosquitto() -> None:
    from cli_rig import MOSQUITTO

    assert MOSQUITTO is not None, "make test installs mosquitto"
