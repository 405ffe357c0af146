"""cascade_risk: where it must fire, where it must not, and what it says."""

from __future__ import annotations

from dataclasses import replace

import jsonschema
import orjson
import pytest
from alert_views import at, service
from cascade_rig import cascade, exposure, facing, jump
from pydantic import ValidationError

from monitor.alerts.compose import cascade_range
from monitor.alerts.evaluator import AlertEngine, Transition
from monitor.alerts.payloads import schemas
from monitor.alerts.settings import AlertsSettings, CascadeRiskSettings
from monitor.cascade_views import CascadeView

SCHEMA = jsonschema.Draft202012Validator(schemas()["undertow.alert.v1"])


def engine(**changes: float) -> AlertEngine:
    return AlertEngine(AlertsSettings(cascade_risk=CascadeRiskSettings(**changes)), "test-1")  # type: ignore[arg-type]


def run(alerts: AlertEngine, first: int, last: int, view: CascadeView | None) -> list[tuple[int, Transition]]:
    found = []
    for second in range(first, last):
        for transition in alerts.on_second(service(second, **facing(view)), at(second)):
            SCHEMA.validate(orjson.loads(transition.body))
            if transition.payload.kind == "cascade_risk":
                found.append((second, transition))
    return found


def changes(found: list[tuple[int, Transition]]) -> list[tuple[int, str, str, str]]:
    return [(s, t.payload.subject, t.payload.transition, t.payload.severity) for s, t in found]


FAR = cascade(jump(0.02))  # two sigmas


def test_a_near_cascade_opens_escalates_eases_and_closes() -> None:
    alerts = engine()
    assert run(alerts, 0, 60, FAR) == []
    assert changes(run(alerts, 60, 75, cascade(jump(0.01)))) == [(70, "long", "opened", "watch")]
    assert changes(run(alerts, 75, 85, cascade(jump(0.005)))) == [(80, "long", "escalated", "warning")]
    assert changes(run(alerts, 85, 95, cascade(jump(0.0025)))) == [(90, "long", "escalated", "critical")]
    assert changes(run(alerts, 95, 130, cascade(jump(0.004)))) == [(125, "long", "eased", "warning")]
    assert run(alerts, 130, 230, cascade(jump(0.006))) == []  # better, and not by enough to ease
    assert changes(run(alerts, 230, 330, FAR)) == [(260, "long", "eased", "watch"), (290, "long", "closed", "watch")]


def test_a_small_sale_beside_what_is_sold_opens() -> None:
    alerts = engine()
    sold = cascade(jump(0.05, sale=20e6), net_sold_usd=30e6)
    assert changes(run(alerts, 0, 15, sold)) == [(10, "long", "opened", "watch")]
    more = cascade(jump(0.05, sale=20e6), net_sold_usd=90e6)
    assert changes(run(alerts, 15, 25, more)) == [(20, "long", "escalated", "critical")]  # 0.22 of it


@pytest.mark.parametrize(
    "view",
    [
        None,
        cascade(None),  # no cascade in range
        cascade(jump(0.011)),  # further than an hour goes
        cascade(jump(0.001, observed=0.49)),  # rests on depth nobody has seen
        cascade(jump(0.001, forced=4e6)),  # forces too little
        cascade(jump(0.001), sigma_1h_ratio=None),  # how far an hour goes is not known
        cascade(jump(0.05, sale=20e6), net_sold_usd=19e6),  # more than what is being sold
        cascade(jump(0.05, sale=5e5), net_sold_usd=9e5),  # nothing worth the name is being sold
        cascade(jump(0.05), net_sold_usd=None),
        cascade(jump(0.05), net_sold_usd=-50e6),  # it is bought
        cascade(jump(0.001), sides={}, reason="no book of the asset is verified"),
    ],
)
def test_it_stays_silent(view: CascadeView | None) -> None:
    assert run(engine(), 0, 120, view) == []


def test_quotes_that_flicker_raise_nothing() -> None:
    alerts = engine()
    for start in range(0, 120, 6):
        assert run(alerts, start, start + 4, cascade(jump(0.002))) == []
        assert run(alerts, start + 4, start + 6, FAR) == []


def test_what_is_not_known_closes_nothing_until_it_is_stale() -> None:
    alerts = engine()
    run(alerts, 0, 20, cascade(jump(0.009)))
    assert run(alerts, 20, 600, cascade(jump(0.05, observed=0.2))) == []
    assert len(alerts.open_alerts()) == 1
    closed = run(alerts, 600, 640, None)
    assert [(t.payload.transition, t.payload.reason) for _, t in closed] == [("closed", "stale")]


def test_no_cascade_in_range_closes_however_little_of_the_range_is_seen() -> None:
    alerts = engine()
    run(alerts, 0, 20, cascade(jump(0.009)))
    ((second, closed),) = run(alerts, 20, 100, cascade(None, observed=0.04))
    assert (second, closed.payload.transition, closed.payload.reason) == (80, "closed", None)
    assert "no sale within range" in closed.payload.summary


def test_a_measure_that_is_not_known_eases_and_closes_nothing() -> None:
    alerts = engine()
    run(alerts, 0, 20, cascade(jump(0.05, sale=20e6), net_sold_usd=30e6))
    assert run(alerts, 20, 400, cascade(jump(0.05), net_sold_usd=None)) == []
    assert run(alerts, 400, 700, cascade(jump(0.05), sigma_1h_ratio=None)) == []
    ((_, closed),) = run(alerts, 700, 800, cascade(jump(0.05), net_sold_usd=0.0))
    assert closed.payload.summary.startswith(
        "BTC: a cascade of liquidations is no longer near: it would take a sale of $20M"
    )


def test_the_share_that_is_seen_is_that_of_the_jump_that_is_told() -> None:
    """The small first jump lands in depth that is seen, the large one far beyond."""
    view = cascade(jump(0.001, forced=1e6))
    figures = {
        s: f._replace(largest=jump(0.008, forced=90e6, observed=0.15)) for s, f in view.sides["down"].figures.items()
    }
    side = view.sides["down"]._replace(figures=figures, observed_ratio=1.0)
    assert run(engine(), 0, 60, cascade(None, sides={"down": side})) == []


def test_half_of_the_open_interest_has_to_be_mapped() -> None:
    lost = replace(exposure(), coverage_ratio=0.3)
    assert run(engine(), 0, 60, cascade(jump(0.001), exposure=lost)) == []
    assert run(engine(), 0, 60, cascade(jump(0.001), exposure=None)) == []


def test_the_sentence_names_sale_landing_and_books() -> None:
    (_, opened), *_ = run(engine(), 0, 20, cascade(jump(0.009), net_sold_usd=30e6))
    payload = opened.payload
    assert payload.summary == (
        "BTC: a sale of $20M would carry the price from -0.4% to -5.3% (66,290) by setting off $150M of forced selling,"
        " $30M net were sold in the last five minutes; 80% of that depth is seen, on the verified books of binance_usdm:BTCUSDT."
    )
    evidence = payload.evidence
    assert evidence["distance_sigmas"].value == pytest.approx(0.9)
    assert evidence["share_of_net_selling"].value == pytest.approx(2 / 3)
    assert evidence["books"].value == "binance_usdm:BTCUSDT"
    assert evidence["map"].value == "calibrated"
    assert "okx_swap:BTC-USDT-SWAP is left out: gap" in payload.quality.degraded
    assert payload.market.cascade is not None
    assert payload.market.cascade.base.landing_ratio == 0.053


def test_a_cascade_without_landing_says_so() -> None:
    (_, opened), *_ = run(engine(), 0, 20, cascade(jump(0.009, landing=None)))
    assert "with nothing in range to stop it" in opened.payload.summary


def test_where_selling_feeds_itself_at_the_price_any_sale_will_do() -> None:
    (_, opened), *_ = run(engine(), 0, 20, cascade(jump(0.0001, sale=0.0)))
    assert "BTC: any sale would carry the price" in opened.payload.summary


def test_the_null_map_is_named() -> None:
    view = cascade(jump(0.009), exposure=exposure("indicative", "only 3 of 50 intervals were scored"))
    (_, opened), *_ = run(engine(), 0, 20, view)
    assert opened.payload.evidence["map"].value == "null"
    assert any("only 3 of 50" in line and "spread evenly" in line for line in opened.payload.quality.degraded)


def test_the_largest_jump_stands_in_for_a_small_first_one() -> None:
    view = cascade(jump(0.001, forced=1e6))
    figures = {s: f._replace(largest=jump(0.008, forced=90e6)) for s, f in view.sides["down"].figures.items()}
    side = view.sides["down"]._replace(figures=figures)
    found = run(engine(), 0, 20, cascade(jump(0.001), sides={"down": side}))
    assert changes(found) == [(10, "long", "opened", "watch")]
    assert found[0][1].payload.evidence["forced_usd"].value == 90e6


def test_payloads_hold_no_infinity() -> None:
    assert cascade_range(None) is None
    found = cascade_range(cascade(None))
    assert found is not None
    assert (found.base.distance_ratio, found.base.ignition_usd, found.observed_ratio) == (None, None, 0.8)


@pytest.mark.parametrize(
    "values",
    [
        {"open_sigmas": 0.4},  # below warning
        {"close_sigmas": 0.9},  # below open
        {"ease_warning_sigmas": 0.4},
        {"open_share_ratio": 2.0},  # above close
        {"ease_critical_share_ratio": 0.2},
    ],
)
def test_settings_that_contradict_themselves_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        CascadeRiskSettings(**values)
