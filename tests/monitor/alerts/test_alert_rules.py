"""Each rule: where it must fire, where it must not, and what it says."""

from __future__ import annotations

import jsonschema
import orjson
import pytest
from alert_views import asset, at, depth, market, service, venue
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.alerts.evaluator import AlertEngine, Transition, open_alert_of
from monitor.alerts.payloads import schemas
from monitor.alerts.rules.base import LiquidationContext, money
from monitor.alerts.settings import AlertsSettings, DepthDroughtSettings, FeedFaultSettings, LiquidationBurstSettings
from monitor.views import ConnectionView, DepthFigure, ServiceView

SCHEMA = jsonschema.Draft202012Validator(schemas()["undertow.alert.v1"])
FROM = LiquidationContext("binance_usdm", "BTCUSDT", "sampled")


def engine(**sections: object) -> AlertEngine:
    return AlertEngine(AlertsSettings(**sections), "test-1")  # type: ignore[arg-type]


def said(transitions: list[Transition], kind: str | None = None) -> list[tuple[str, str, str]]:
    found = []
    for transition in transitions:
        SCHEMA.validate(orjson.loads(transition.body))
        if kind is None or transition.payload.kind == kind:
            found.append((transition.payload.subject, transition.payload.transition, transition.payload.severity))
    return found


def run(alerts: AlertEngine, first: int, last: int, kind: str | None = None, **changes: object) -> list:
    found = []
    for second in range(first, last):
        for change in said(alerts.on_second(service(second, **changes), at(second)), kind):
            found.append((second, *change))
    return found


# -- liquidation_burst
def test_burst_opens_on_the_print_escalates_and_dies_down() -> None:
    alerts = engine()
    view = asset(figures=(depth(8e6),))  # 5% of 8 M = 400 k is the unit
    assert run(alerts, 0, 3, assets=(view,)) == []
    assert alerts.on_liquidation("BTC", "long", 300_000.0, at(3.1), FROM) == []
    opened = alerts.on_liquidation("BTC", "long", 150_000.0, at(3.2), FROM)
    assert said(opened) == [("long", "opened", "watch")]
    payload = opened[0].payload
    assert payload.evidence["liquidated_usd"].value == 450_000.0
    assert payload.evidence["coverage"].value == "sampled"
    assert any("sampled" in line for line in payload.quality.degraded)
    assert payload.type == "forced"
    assert "BTC: at least $450k of longs liquidated in 60 s" in payload.summary
    assert payload.market.bid_depth_1pct_usd == 8e6
    assert payload.market.liquidated_long_usd_60s is None
    escalated = alerts.on_liquidation("BTC", "long", 3_000_000.0, at(4), FROM)
    assert said(escalated) == [("long", "escalated", "critical")]
    assert escalated[0].payload.id == payload.id
    assert [opened[0].payload.sequence, escalated[0].payload.sequence] == [1, 2]
    changes = run(alerts, 5, 200, assets=(view,))
    assert [change for change in changes if change[1] != "long"] == []
    assert [(change, severity) for _, _, change, severity in changes] == [("eased", "watch"), ("closed", "watch")]
    # The window empties at 64 s; 30 s later it eases, 60 s after the window emptied it closes.
    assert [second for second, *_ in changes] == [94, 124]


def test_burst_stays_silent_below_the_floor_and_for_ordinary_prints() -> None:
    alerts = engine()
    view = asset(figures=(depth(100_000.0),))
    run(alerts, 0, 2, assets=(view,))
    for second in range(2, 500):  # 4 k a second is 240 k a window: below the floor of 250 k
        assert alerts.on_liquidation("BTC", "short", 4_000.0, at(second), FROM) == []
        assert said(alerts.on_second(service(second, assets=(view,)), at(second))) == []


def test_burst_baseline_makes_a_busy_asset_need_more() -> None:
    quiet, busy = engine(), engine()
    for second in range(7300):
        assert busy.on_liquidation("BTC", "long", 2_000.0, at(second), FROM) == []
        for alerts in (quiet, busy):
            assert said(alerts.on_second(service(second), at(second))) == []
    usual = busy.memory()["liquidation_burst"]["BTC:long"]["usual_usd"]
    assert usual == pytest.approx(120_000.0, rel=0.01)
    assert said(quiet.on_liquidation("BTC", "long", 300_000.0, at(7301), FROM)) == [("long", "opened", "watch")]
    assert said(busy.on_liquidation("BTC", "long", 300_000.0, at(7301), FROM)) == []
    assert said(busy.on_liquidation("BTC", "long", 1_000_000.0, at(7302), FROM)) == [("long", "opened", "watch")]
    again = engine()
    again.remember(busy.memory())
    assert again.memory()["liquidation_burst"]["BTC:long"]["usual_usd"] == usual
    again.remember({"liquidation_burst": {"BTC:long": {"usual_usd": float("nan"), "history_seconds": 1}, "x": {}}})
    assert again.memory()["liquidation_burst"]["BTC:long"]["usual_usd"] == usual


def test_burst_does_not_become_its_own_baseline() -> None:
    alerts = engine()
    for second in range(3700):
        alerts.on_second(service(second), at(second))
    before = alerts.memory()["liquidation_burst"]["BTC:long"]["usual_usd"]
    for second in range(3700, 4300):
        alerts.on_liquidation("BTC", "long", 1e6, at(second), FROM)
        alerts.on_second(service(second), at(second))
    after = alerts.memory()["liquidation_burst"]["BTC:long"]["usual_usd"]
    assert alerts.open_alerts()
    assert after == before == 0.0


def test_burst_is_not_over_because_its_venue_fell_silent() -> None:
    alerts = engine()
    alerts.on_liquidation("BTC", "long", 6e6, at(0), FROM)
    cut = venue(connections=(ConnectionView("binance_usdm", 0, False, "/ws", 3),))
    assert run(alerts, 1, 400, "liquidation_burst", venues=(cut,)) == []
    assert len(alerts.open_alerts()) >= 1
    assert run(alerts, 400, 520, "liquidation_burst") == [(460, "long", "closed", "watch")]
    assert not [alert for alert in alerts.open_alerts() if alert.kind == "liquidation_burst"]


def test_burst_is_not_over_because_its_liquidations_cannot_be_heard() -> None:
    """The venue stands and no topic is silent, but the subscription was refused."""
    alerts = engine()
    alerts.on_liquidation("BTC", "long", 6e6, at(0), FROM)
    deaf = market(liquidations_heard=False)
    assert run(alerts, 1, 400, "liquidation_burst", markets=(deaf,)) == []
    ((*_, again),) = [alerts.on_liquidation("BTC", "long", 60e6, at(400), FROM)]
    assert "binance_usdm:BTCUSDT liquidations cannot be seen" in again.payload.quality.degraded
    assert run(alerts, 401, 401 + 400, "liquidation_burst", markets=(deaf,)) == []
    assert run(alerts, 801, 921, "liquidation_burst")[-1] == (861, "long", "closed", "watch")


def test_burst_learns_nothing_of_what_cannot_be_heard() -> None:
    alerts = engine()
    run(alerts, 0, 600, markets=(market(liquidations_heard=False),))
    assert "BTC:long" not in alerts.memory().get("liquidation_burst", {})
    run(alerts, 600, 1200)
    assert alerts.memory()["liquidation_burst"]["BTC:long"]["history_seconds"] > 0


def test_burst_without_rate_or_with_nonsense_opens_nothing() -> None:
    alerts = engine()
    for usd in (None, float("nan"), float("inf"), -1e9):
        assert alerts.on_liquidation("BTC", "long", usd, at(0), FROM) == []
    assert alerts.on_liquidation("BTC", "sideways", 1e9, at(0), FROM) == []
    opened = alerts.on_liquidation("BTC", "long", 6e6, at(1), FROM)
    assert said(opened) == [("long", "opened", "watch")]
    assert any("no USD rate" in line for line in opened[0].payload.quality.degraded)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30_000), st.integers(0, 10**9)), max_size=80))
def test_burst_window_equals_a_plain_sum(prints: list[tuple[int, int]]) -> None:
    alerts = engine(liquidation_burst=LiquidationBurstSettings(floor_usd=0.01, blind_floor_usd=0.01))
    plain: list[tuple[int, int]] = []
    milliseconds = 0
    for wait, cents in prints:
        milliseconds += wait
        plain.append((milliseconds // 1000, cents))
        changes = alerts.on_liquidation("BTC", "long", cents / 100, at(milliseconds / 1000), FROM)
        now = at(milliseconds / 1000) // 10**9
        expected = sum(c for s, c in plain if at(s) // 10**9 > now - 60)
        for change in changes:
            assert change.payload.evidence["liquidated_usd"].value == pytest.approx(expected / 100, abs=0.005)


# -- depth_drought
def drought(ratio: float | None, **changes: object) -> dict:
    usd = 8e6 * ratio if ratio is not None else 8e6
    return {"assets": (asset(figures=(depth(usd, ratio, **changes),)),)}  # type: ignore[arg-type]


def test_drought_opens_after_its_hold_escalates_eases_and_closes() -> None:
    alerts = engine()
    assert run(alerts, 0, 60, **drought(1.0)) == []
    assert run(alerts, 60, 121, **drought(0.45)) == [(120, "all", "opened", "watch")]
    assert run(alerts, 121, 137, **drought(0.3)) == [(136, "all", "escalated", "warning")]
    assert run(alerts, 137, 153, **drought(0.1)) == [(152, "all", "escalated", "critical")]
    assert run(alerts, 153, 214, **drought(0.4)) == [(213, "all", "eased", "warning")]
    assert run(alerts, 214, 275, **drought(0.55)) == [(274, "all", "eased", "watch")]
    changes = run(alerts, 275, 400, **drought(0.9))
    assert changes == [(395, "all", "closed", "watch")]
    assert alerts.open_alerts() == ()
    assert alerts.totals["BTC", "depth_drought", "opened"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        drought(0.55),  # not thin enough
        drought(0.1, coverage=0.4),  # too little of it known
        drought(0.1, coverage=None),
        drought(None),  # no baseline
        {"assets": (asset(figures=(depth(50_000.0, 0.1),)),)},  # normal is 500 k, below the floor
        {"assets": (asset(figures=(depth(8e5, 0.1, side="ask"),)),)},  # asks
        {"assets": (asset(),)},  # depth unknown
    ],
)
def test_drought_stays_silent(changes: dict) -> None:
    assert run(engine(), 0, 400, **changes) == []


def test_drought_of_seconds_is_not_one() -> None:
    alerts = engine()
    for start in range(0, 500, 50):
        assert run(alerts, start, start + 40, **drought(0.4)) == []
        assert run(alerts, start + 40, start + 50, **drought(0.9)) == []


def test_drought_unknown_does_not_close_and_nothing_left_is_the_worst() -> None:
    alerts = engine()
    run(alerts, 0, 5, **drought(1.0))
    assert run(alerts, 5, 25, **drought(0.0)) == [(20, "all", "opened", "critical")]
    assert run(alerts, 25, 1000, **drought(None)) == []
    assert run(alerts, 1000, 2000, **drought(0.9, coverage=0.2)) == []
    assert len(alerts.open_alerts()) == 1


def test_drought_slow_is_a_watch_and_no_more() -> None:
    alerts = engine()
    slow = {"assets": (asset(figures=(depth(2e6, 1.0, 0.25),)),)}
    assert run(alerts, 0, 600, **slow) == [(60, "all", "opened", "watch")]
    assert "over the last 12 weeks" in str(alerts.open_alerts()[0].payload["summary"])


# -- feed_fault
def broken(**changes: object) -> dict:
    others = (market(symbol="ETHUSDT", asset="ETH"), market(symbol="SOLUSDT", asset="SOL"))
    return {"markets": (market(verified=False, reason="gap", **changes), *others)}  # type: ignore[arg-type]


def test_fault_of_a_market_grows_with_time_and_closes() -> None:
    alerts = engine()
    assert run(alerts, 0, 30, **broken()) == []
    assert run(alerts, 30, 601, **broken()) == [
        (30, "binance_usdm:BTCUSDT", "opened", "watch"),
        (120, "binance_usdm:BTCUSDT", "escalated", "warning"),
        (600, "binance_usdm:BTCUSDT", "escalated", "critical"),
    ]
    payload = alerts.open_alerts()[0].payload
    assert payload["asset"] == "MARKET"
    assert payload["quality"]["books"] == {"verified": 2, "configured": 3}
    assert "no verified book (gap)" in payload["summary"]
    assert run(alerts, 601, 662) == [(661, "binance_usdm:BTCUSDT", "closed", "critical")]


def test_fault_of_a_short_resync_is_not_one() -> None:
    alerts = engine()
    for start in range(0, 300, 60):
        assert run(alerts, start, start + 25, **broken()) == []
        assert run(alerts, start + 25, start + 60) == []


def test_fault_of_a_book_that_is_lost_again_and_again() -> None:
    alerts = engine()
    found = []
    for second in range(600):
        view = broken(resyncs={"gap": second // 20}) if second % 20 < 10 else {
            "markets": (market(resyncs={"gap": second // 20}),)
        }  # fmt: skip
        found += said(alerts.on_second(service(second, **view), at(second)))
    assert found[0] == ("binance_usdm:BTCUSDT", "opened", "watch")
    assert len(found) <= 2


def test_fault_of_a_venue_speaks_for_its_markets() -> None:
    alerts = engine()
    cut = venue(connections=(ConnectionView("binance_usdm", 0, False, "/ws", 3),))
    other = (venue("okx_swap"), market("okx_swap", "BTC-USDT-SWAP"))
    markets = tuple(market(symbol=f"M{n}USDT", verified=False, reason="disconnected") for n in range(20))
    found = run(alerts, 0, 301, venues=(cut, other[0]), markets=(*markets, other[1]))
    assert found == [
        (10, "binance_usdm", "opened", "watch"),
        (60, "binance_usdm", "escalated", "warning"),
        (300, "binance_usdm", "escalated", "critical"),
    ]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"halted": "451 from this address"}, "halted"),
        ({"lag_seconds": 7.0}, "behind"),
        ({"faults": ("x",)}, "channel_fault"),
    ],
)
def test_fault_of_a_venue_by_name(changes: dict, name: str) -> None:
    alerts = engine()
    found = run(alerts, 0, 61, venues=(venue(**changes),))
    assert found[0] == (10, "binance_usdm", "opened", "watch")
    assert alerts.open_alerts()[0].payload["evidence"]["faults"]["value"] == name


def test_fault_of_a_silent_channel_and_of_a_refused_market() -> None:
    alerts = engine()
    view = {"markets": (market(silent={"trades": True}),), "venues": (venue(refused=(("XUSDT", "not listed"),)),)}
    assert run(alerts, 0, 31, **view) == [
        (0, "binance_usdm:XUSDT", "opened", "watch"),
        (30, "binance_usdm:BTCUSDT", "opened", "watch"),
    ]


def test_no_fault_when_all_is_well_or_nothing_is_configured() -> None:
    assert run(engine(), 0, 700) == []
    assert run(engine(), 0, 700, markets=(), venues=(), assets=()) == []
    lag = venue(lag_seconds=3.0)  # below the bound
    assert run(engine(), 0, 700, venues=(lag,)) == []


def test_nothing_verified_anywhere_is_critical() -> None:
    alerts = engine()
    found = run(alerts, 0, 31, markets=(market(verified=False, reason="gap"),))
    assert (30, "all", "opened", "critical") in found


def test_fault_below_its_floor_is_silent() -> None:
    small, unknown = (engine(feed_fault=FeedFaultSettings(floor_usd=1e6)) for _ in range(2))
    small.on_second(service(0, markets=(market(depth=(DepthFigure("bid", "1%", 5e5, 8.0, "live"),)),)), at(0))
    assert run(small, 1, 100, **broken()) == []
    assert run(unknown, 1, 100, **broken()) == [(31, "binance_usdm:BTCUSDT", "opened", "watch")]


# -- the engine
def test_restart_keeps_id_and_sequence_and_stale_closes() -> None:
    first = engine()
    opened = first.on_liquidation("BTC", "long", 6e6, at(0), FROM)[0]
    rows = [open_alert_of(row.body, row.opened_at) for row in first.open_rows()]
    second = engine()
    assert second.restore(rows, at(100)) == 1
    assert second.restore(rows, at(100)) == 0
    assert second.open_alerts()[0].id == opened.payload.id
    # No data at all (no venue, no asset): not confirmed, stale at ten minutes.
    found = []
    for now in range(101, 702):
        found += [(now, t) for t in second.on_second(ServiceView(at=at(now)), at(now))]
    assert [(now, t.payload.transition, t.payload.reason, t.payload.sequence, t.payload.id) for now, t in found] == [
        (700, "closed", "stale", 2, opened.payload.id)
    ]
    SCHEMA.validate(orjson.loads(found[0][1].body))
    assert second.open_alerts() == ()


def test_restore_leaves_out_what_is_no_alert() -> None:
    alerts = engine()
    for body in (b"{}", b"[]", b'{"asset":1}', b'{"asset":"BTC","kind":"k","subject":"s","severity":"loud"}'):
        assert alerts.restore([open_alert_of(body, 0)], at(0)) == 0


def test_same_events_give_the_same_bytes() -> None:
    def once() -> list[bytes]:
        alerts = engine()
        bodies = []
        for second in range(300):
            if second % 7 == 0:
                bodies += [t.body for t in alerts.on_liquidation("BTC", "long", 9e5, at(second), FROM)]
            view = service(second, **(broken() if second > 100 else {}))
            bodies += [t.body for t in alerts.on_second(view, at(second))]
        return bodies

    assert len(once()) >= 3
    assert once() == once()


@pytest.mark.parametrize(
    ("model", "values"),
    [
        (LiquidationBurstSettings, {"close_multiple": 2.0}),
        (LiquidationBurstSettings, {"ease_warning_multiple": 3.0}),
        (DepthDroughtSettings, {"open_ratio": 0.7}),
        (DepthDroughtSettings, {"chronic_close_ratio": 0.1}),
        (FeedFaultSettings, {"warning_hold_seconds": 10.0}),
        (FeedFaultSettings, {"behind_close_seconds": 9.0}),
        (AlertsSettings, {"depth_drougth": {}}),
    ],
)
def test_settings_that_contradict_themselves_are_refused(model: type, values: dict) -> None:
    with pytest.raises(ValidationError):
        model(**values)


def test_money() -> None:
    assert [money(usd) for usd in (0, 950, 12_345, 999_600, 4.1e6, 1.25e9, 512_000)] == [
        "$0", "$950", "$12.3k", "$1M", "$4.1M", "$1.25B", "$512k",
    ]  # fmt: skip
