"""What stands around the hub of a live service: the sink before it, the outlet behind it, its memory on disk, its settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from core_rig import BYBIT, SECOND, START, Rig, at, bybit_book, bybit_liquidation, instrument, ladder

from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.payloads import AlertPayload
from monitor.alerts.settings import AlertsSettings
from monitor.capture.recorder import Recorder
from monitor.capture.recording_set import RecordingSet
from monitor.config import Settings
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed
from monitor.hub import Hub
from monitor.metrics.histogram import HistogramFamily
from monitor.metrics.process import ProcessMetrics
from monitor.service.memory import restore, save
from monitor.service.outlet import LiveOutlet
from monitor.service.sink import Sink
from monitor.service.wiring import hub_options, venue_options
from monitor.state import StateStore
from monitor.venues.base import ConnectionPlan
from monitor.venues.registry import VENUES
from monitor.views import ServiceView


# -- memory
@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / "state.sqlite") as opened:
        yield opened


def engine() -> AlertEngine:
    return AlertEngine(AlertsSettings(), "test")


def test_baselines_and_regimes_survive_on_disk(tmp_path: Path) -> None:
    before = Rig(warmup=5)
    before.begin(BYBIT)
    before.hub.regimes_before = {}
    for second in range(1, 30):
        before.frame(second, BYBIT, bybit_book(100 + second, time=at(second)))
    before.tick(29)
    before.hub.assets["BTC"].regime.regime = "watch"
    before.hub.assets["BTC"].regime.since = at(7)
    with StateStore.open(tmp_path / "state.sqlite") as store:
        save(before.hub, engine(), store, at(29))
        assert store.flush()
    after = Rig(warmup=5)
    with StateStore.open(tmp_path / "state.sqlite") as store:
        assert restore(after.hub, engine(), store, at(60)) == 6  # two sides, three bands
    after.begin(BYBIT, seconds=60)
    after.tick(62)
    asset = after.asset_view()
    (depth,) = [d for d in asset.depth if (d.side, d.band) == ("bid", "1%")]
    assert depth.acute_ratio == pytest.approx(1.0)  # warm from the first second on
    assert (asset.regime, asset.regime_since) == ("watch", at(7))


def test_a_venue_down_since_the_restart_counts_in_the_coverage(tmp_path: Path) -> None:
    before = Rig(warmup=5)
    before.list(0, BYBIT, instrument(BYBIT), instrument(BYBIT, "BTCPERP", quote="USDC"))
    before.connect(0, BYBIT, 0, "orderbook.1000.BTCUSDT", "orderbook.1000.BTCPERP")
    before.seed(BYBIT)
    before.frame(0, BYBIT, bybit_book(5, *ladder(60_000, 50), snapshot=True, symbol="BTCPERP"))
    before.tick(20)
    with StateStore.open(tmp_path / "s") as store:
        save(before.hub, engine(), store, at(20))
        assert store.flush()
        after = Rig(warmup=5)
        restore(after.hub, engine(), store, at(60))
    after.list(60, BYBIT, instrument(BYBIT), instrument(BYBIT, "BTCPERP", quote="USDC"))
    after.connect(60, BYBIT)
    after.seed(BYBIT, seconds=60)
    after.tick(61)
    (depth,) = [d for d in after.asset_view().depth if (d.side, d.band) == ("bid", "1%")]
    assert depth.coverage_ratio == pytest.approx(0.5)
    assert after.asset_view().quality.confidence == 0.5


def test_rows_of_the_state_file_that_make_no_sense_are_left_out(store: StateStore) -> None:
    store.put("regime", "BTC", ["panic", 5], 0)
    store.put("regime", "ETH", ["watch", "yesterday"], 0)
    store.put("regime", "SOL", ["watch"], 0)
    store.put("regime", "XRP", ["normal", 17], 0)
    store.put("acute", "a|b|c|d|e", ["x"] * 170, 0)
    store.put("acute", "a|b|c|d|e|f", 3, 0)
    store.put("chronic", "a|b|c|d|e|week", [1.0] * 168, 0)
    store.put("rule", "liquidation_burst", [1], 0)
    store.put("rule", "nothing", {"x": {"y": 1.0}}, 0)
    assert store.flush()
    rig = Rig()
    assert restore(rig.hub, engine(), store, START) == 0
    assert rig.hub.regimes_before == {"XRP": ("normal", 17)}


# -- the sink
def opening() -> list[Event]:
    topic = VENUES[BYBIT].topic("orderbook.1000.BTCUSDT")
    facts = VENUES[BYBIT].topic("allLiquidation.BTCUSDT")
    assert topic is not None
    assert facts is not None
    return [
        InstrumentsListed(START, BYBIT, (instrument(BYBIT),)),
        Connected(START, BYBIT, 0, ConnectionPlan("all", "wss://x/y", (topic, facts))),
    ]


def test_weeks_that_are_never_read_again_leave_the_state_file(store: StateStore) -> None:
    week = 7 * 86_400 * SECOND
    for age in (1, 52, 54, 200):
        store.put("chronic", f"binance_usdm|BTCUSDT|bid|1%|live|{age}", [None] * 168, START - age * week)
    store.put("regime", "BTC", ["normal", START], START - 200 * week)
    restore(Rig().hub, engine(), store, START)
    assert [key.rpartition("|")[2] for key in store.all("chronic")] == ["1", "52"]
    assert list(store.all("regime")) == ["BTC"]


def test_what_breaks_the_hub_is_in_the_recording(tmp_path: Path) -> None:
    """Recorded first, handled after."""
    rig = Rig()
    recorder = Recorder(tmp_path, 1.0)
    recorder.start()
    sink = Sink(rig.hub, ProcessMetrics(), recorder)
    for event in opening():
        sink.on_event(event)

    def broken(data: bytes, at: int) -> int:
        raise ZeroDivisionError

    rig.hub.states[BYBIT].links[0].handlers["orderbook.1000.BTCUSDT"] = broken
    with pytest.raises(ZeroDivisionError):
        sink.on_frame(BYBIT, 0, bybit_book(1), START + 5)
    sink.on_event(Disconnected(START + 6, BYBIT, 0, "connection_lost"))
    recorder.close()
    events = list(RecordingSet.open([tmp_path]).events())
    assert [type(event) for event in events] == [InstrumentsListed, Connected, FrameReceived, Disconnected]


def test_time_and_lag_of_each_frame_are_measured_by_channel() -> None:
    rig, process = Rig(), ProcessMetrics()
    sink = Sink(rig.hub, process, None)
    commands = [command for event in opening() for command in sink.on_event(event)]
    assert len(commands) == 1  # the subscription goes out through the sink, too
    sink.on_frame(BYBIT, 0, bybit_book(1, *ladder(60_000, 5), snapshot=True, time=START), START + 3 * SECOND // 10)
    sink.on_frame(BYBIT, 0, bybit_book(2, time=START), START + 5 * SECOND // 10)
    sink.on_frame(BYBIT, 0, bybit_liquidation("Buy", "60000", "1", time=START), START + 6 * SECOND // 10)
    sink.on_frame(BYBIT, 0, b"?", START + 6 * SECOND // 10)
    sink.on_frame(BYBIT, 9, b"?", START + 6 * SECOND // 10)  # of a connection that is gone

    def count(family: HistogramFamily, *labels: str) -> float:
        return family.labels(*labels).buckets()[0][-1][1]

    counted = {channel: count(process.processing, BYBIT, channel) for channel in ("book", "liquidations", "other")}
    assert counted == {"book": 2, "liquidations": 1, "other": 2}
    assert count(process.feed_lag, BYBIT) == 2  # a print says nothing about how late its frame is


def test_a_tick_refreshes_before_the_second_is_made() -> None:
    rig = Rig()
    sink = Sink(rig.hub, ProcessMetrics(), None)
    order: list[str] = []
    sink.refresh = lambda: order.append("refresh")
    inner = rig.outlet.second
    rig.outlet.second = lambda view: (order.append("second"), inner(view))[1]  # type: ignore[method-assign, func-returns-value]
    for event in opening():
        sink.on_event(event)
    order.clear()
    sink.on_tick(at(1))
    assert order == ["refresh", "second"]


# -- the outlet
class Delivery:
    def __init__(self) -> None:
        self.got: list[tuple[str, object]] = []

    def transitions(self, transitions: object) -> None:
        self.got.append(("transitions", transitions))

    def liquidation(self, payload: object) -> None:
        self.got.append(("liquidation", payload))

    def second(self, view: object) -> None:
        self.got.append(("second", view))


def transition(change: str, severity: str) -> Any:
    payload = SimpleNamespace(
        summary=f"{change} {severity}",
        kind="feed_fault",
        asset="MARKET",
        subject="x",
        transition=change,
        severity=severity,
        id="1",
    )
    return SimpleNamespace(payload=payload)


def test_everything_goes_to_the_delivery_and_to_whoever_watches() -> None:
    delivery = Delivery()
    seen: list[object] = []
    outlet = LiveOutlet(cast("Any", delivery), on_alert=seen.append, on_second=seen.append)
    moved = [transition("opened", "watch"), transition("closed", "watch")]
    outlet.transitions(moved)
    outlet.liquidation(cast("Any", "print"))
    view = ServiceView(at=1)
    outlet.second(view)
    assert delivery.got == [("transitions", moved), ("liquidation", "print"), ("second", view)]
    assert seen == [moved[0].payload, moved[1].payload, view]


def test_alerts_nobody_watches_are_logged_by_their_severity() -> None:
    outlet = LiveOutlet(cast("Any", Delivery()))
    lines: list[tuple[str, str]] = []

    class Log:
        def __getattr__(self, level: str) -> Any:
            return lambda text, **_: lines.append((level, text))

    outlet._log = Log()
    outlet.transitions([transition("opened", s) for s in ("watch", "warning", "critical")])
    outlet.transitions(
        [transition("escalated", "critical"), transition("eased", "warning"), transition("closed", "critical")]
    )
    outlet.second(ServiceView(at=1))
    assert lines == [
        ("warning", "opened watch"),
        ("warning", "opened warning"),
        ("error", "opened critical"),
        ("error", "escalated critical"),
        ("info", "eased warning"),
        ("info", "closed critical"),
    ]


def test_a_real_alert_reaches_the_outlet_of_a_hub() -> None:
    """A market without a book long enough is a feed fault."""
    delivery = Delivery()
    alerts: list[AlertPayload] = []
    outlet = LiveOutlet(cast("Any", delivery), on_alert=alerts.append)
    hub = Hub(hub_options(Settings()), AlertEngine(AlertsSettings(), "test"), outlet)
    for event in opening():
        hub.on_event(event)
    for second in range(1, 200):
        hub.on_tick(at(second))
    assert {alert.kind for alert in alerts} == {"feed_fault"}
    assert alerts[0].transition == "opened"
    assert [name for name, _ in delivery.got].count("transitions") >= 1
    assert [name for name, _ in delivery.got].count("second") == 200


# -- wiring
def test_settings_become_plain_options() -> None:
    settings = Settings.model_validate(
        {
            "engine": {"bands": ["1%", "2.50%"], "slippage_usd": [5], "floor_settle": "90s", "baseline_warmup": "2m"},
            "fx": {"usdt": 0.9992, "eur": 1.1},
            "venues": {
                BYBIT: {
                    "symbols": ["BTCUSDT"],
                    "lag_bound": "1.5s",
                    "ws_origin": "ws://127.0.0.1:9",
                    "rest_budget_ratio": 0.5,
                },
                "okx_swap": {"symbols": ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]},
            },
        }
    )
    options = hub_options(settings)
    assert options.market.bands == ("1%", "2.5%")
    assert options.market.slippage_usd == (5,)
    assert options.market.floor_settle == 90 * SECOND
    assert options.baseline_warmup_seconds == 120
    assert options.lag_bound == {BYBIT: 1_500_000_000, "okx_swap": 5 * SECOND}
    assert options.fx_fixed == {"USDT": 0.9992, "EUR": 1.1}
    venues = venue_options(settings)
    assert list(venues) == [BYBIT, "okx_swap"]
    assert (venues[BYBIT].symbols, venues[BYBIT].ws_origin, venues[BYBIT].rest_origin) == (
        ("BTCUSDT",),
        "ws://127.0.0.1:9",
        None,
    )
    assert (venues[BYBIT].rest_budget_ratio, venues[BYBIT].lag_bound_seconds) == (0.5, 1.5)
    assert venues["okx_swap"].symbols == ("BTC-USDT-SWAP", "ETH-USDT-SWAP")
    assert hub_options(Settings()).fx_fixed == {}
