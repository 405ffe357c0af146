"""The liquidation model behind the whole hub, on simulated venues whose truth is known; through the state file; and up to the alert."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from liquidation_rig import START, Market, book, candles, sound

from engines.liquidation.curves import value_at
from engines.liquidation.exposure_types import Position
from monitor import rehearsal
from monitor.alerts.evaluator import AlertEngine
from monitor.alerts.settings import AlertsSettings
from monitor.asset import Asset
from monitor.baselines import Baselines
from monitor.clock import SECOND
from monitor.liquidation.reading import MarketReading
from monitor.rehearsal import EPOCH, SIMULATED, _Stage
from monitor.service import memory
from monitor.simulator.truth import WorldTruth
from monitor.state import StateStore
from monitor.venues.registry import VENUES
from monitor.views import ServiceView
from monitor.web.cascade_payload import cascade_json, exposure_json
from monitor.web.payload import encode


def opened() -> _Stage:
    stage = _Stage()
    for name in SIMULATED:
        stage.open(VENUES[name])
    return stage


@pytest.fixture(scope="module")
def stage() -> _Stage:
    """A calm minute, and the start of the next one."""
    made = opened()
    while made.now < EPOCH + 63 * SECOND:
        made.step()
    return made


def test_every_leveraged_market_has_a_map_that_holds_its_open_interest(stage: _Stage) -> None:
    truth = WorldTruth(stage.source)
    for asset in stage.hub.assets.values():
        assert len(asset.model.exposures) == 3
        for exposure in asset.model.exposures.values():
            assert exposure.usable, exposure.reason
            made = exposure.map
            assert made is not None
            assert made.longs == pytest.approx(made.open_interest, rel=1e-9) == pytest.approx(made.shorts, rel=1e-9)
            market = truth.market(exposure.venue, exposure.market)
            true = market.ledger.open_interest * market.spec.base(market.mark)
            assert made.open_interest == pytest.approx(true, rel=0.01)  # of the last whole minute


def test_tiers_and_candles_come_from_the_venues(stage: _Stage) -> None:
    view = stage.hub.view.assets[0].cascade
    assert view is not None
    assert view.exposure is not None
    sources = {market.venue: market.tiers_source for market in view.exposure.markets}
    assert sources["bybit_linear"] == sources["okx_swap"] == "venue"
    assert sources["binance_usdm"].startswith("documented 20")
    assert view.sigma_1h_ratio is not None  # of the week of candles: ten minutes have not passed
    assert 0.0005 < view.sigma_1h_ratio < 0.05
    entries = view.exposure.bins_usd["long"]
    assert sum(usd > 0 for usd in entries) > 20  # spread as the week was, not at one price


def test_what_the_books_absorb_is_what_stands_in_them(stage: _Stage) -> None:
    truth = WorldTruth(stage.source)
    for asset in stage.hub.view.assets:
        view = asset.cascade
        assert view is not None
        assert view.reason == ""
        assert view.curves is not None
        assert [each.reason for each in view.books] == ["", "", ""]
        for direction, side in (("down", "bid"), ("up", "ask")):
            true = sum(
                truth.depth(m.spec.venue, m.spec.symbol, side, 0.002)[0]  # type: ignore[arg-type]
                for m in stage.source.world.markets.values()
                if m.spec.asset == asset.asset
            )
            found = value_at(view.curves.drops, view.curves.absorption[direction], 0.002, 0.0)  # type: ignore[index]
            assert found == pytest.approx(true, rel=0.1)
            known = view.curves.known[direction]  # type: ignore[index]
            whole = view.curves.absorption[direction]  # type: ignore[index]
            assert (known <= whole * (1 + 1e-9)).all()
            assert (np.diff(whole) >= 0).all()
        assert sound(view)


def test_what_goes_out_is_json_without_holes(stage: _Stage) -> None:
    asset = stage.hub.view.assets[0]
    for body in (cascade_json(asset), exposure_json(asset)):
        assert b"NaN" not in encode(body)
    exposure = exposure_json(asset)
    assert exposure["state"] == "indicative"
    assert len(exposure["history"]) == 2
    assert len(exposure["bins"]["long"]) == 40


def test_maps_go_through_the_state_file(stage: _Stage, tmp_path: Path) -> None:
    """Saved as a running service does, taken back before the markets are listed, and there at once."""
    alerts = AlertEngine(AlertsSettings(), "test-1")
    for asset in stage.hub.assets.values():
        for exposure in asset.model.exposures.values():
            exposure._step_at -= 120 * SECOND  # the next run lives in the same simulated minutes again
    with StateStore.open(tmp_path / "state.sqlite") as store:
        memory.save(stage.hub, alerts, store, EPOCH - SECOND)  # the next run begins at EPOCH
        store.flush(10)
    again = opened_with(tmp_path / "state.sqlite", EPOCH)
    before, after = stage.hub.assets["BTC"].model, again.hub.assets["BTC"].model
    while again.now < EPOCH + 3 * SECOND:
        again.step()
    for name, exposure in after.exposures.items():
        old, new = before.exposures[name].map, exposure.map
        assert old is not None
        assert new is not None
        assert (
            new.open_interest == old.open_interest
        )  # as saved: the venue's own figure of now comes with the next minute
        for side in Position:
            edges = np.linspace(55_000, 73_000, 19) if side is Position.LONG else np.linspace(73_500, 90_000, 19)
            assert new.between(side, edges) == pytest.approx(old.between(side, edges), rel=1e-3, abs=1e-2)


def opened_with(path: Path, at: int) -> _Stage:
    made = _Stage()
    with StateStore.open(path) as store:
        memory.restore(made.hub, AlertEngine(AlertsSettings(), "test-1"), store, at)
    assert set(made.hub.models_before) == {"BTC", "ETH"}
    made.now = rehearsal.EPOCH
    for name in SIMULATED:
        made.open(VENUES[name])
    assert made.hub.models_before == {}
    return made


# -- up to the alert
def alerts_of(market: Market, seconds: int) -> list[tuple[str, str, str]]:
    """What cascade_risk says of one market over so many seconds."""
    asset = Asset("BTC", ("1%",), Baselines(600))
    engine = AlertEngine(AlertsSettings(), "test-1")
    found = []
    for second in range(seconds):
        at = START + second * SECOND
        readings: list[MarketReading] = [market.second(70_000.0)]
        view = asset.step((), at, {"bybit_linear:BTCUSDT": 70_000.0}, {}, readings)
        for transition in engine.on_second(ServiceView(at, assets=(view,)), at):
            if transition.payload.kind == "cascade_risk":
                found.append((transition.payload.transition, transition.payload.severity, transition.payload.summary))
    return found


def test_thin_bids_under_a_crowd_raise_cascade_risk_and_full_ones_do_not() -> None:
    thin = book(reach=0.15)
    for curve in (thin.whole, thin.known):  # full for half a percent, hardly anything below
        curve[:] = np.minimum(thin.whole, 90_000 * 0.005) + 0.02 * np.maximum(thin.whole - 90_000 * 0.005, 0)
    raised = alerts_of(Market(curves=thin, open_interest=400_000.0, candles=candles(hourly=0.012)), 15)
    assert [(change, severity) for change, severity, _ in raised] == [("opened", "warning")]
    assert "bybit_linear:BTCUSDT" in raised[0][2]
    assert "with nothing in range to stop it" in raised[0][2]
    assert alerts_of(Market(curves=book(reach=0.15), open_interest=400_000.0, candles=candles(hourly=0.012)), 30) == []


def test_the_same_cascade_on_depth_that_nobody_saw_raises_nothing() -> None:
    thin = book(reach=0.15)
    curve = np.minimum(thin.whole, 90_000 * 0.005) + 0.02 * np.maximum(thin.whole - 90_000 * 0.005, 0)
    thin.whole[:] = curve
    thin.known[:] = 0.3 * curve
    assert alerts_of(Market(curves=thin, open_interest=400_000.0, candles=candles(hourly=0.012)), 30) == []
