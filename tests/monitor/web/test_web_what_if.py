"""GET .../what-if on the curves of models.md 4.1, its refusals, and what it says when it cannot answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_views as fake
import numpy as np
import pytest
from fake_cascade import cascade
from web_site import Site

from monitor.cascade_views import CascadeCurves, CascadeView

X = np.array([0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.10])
B = np.array([0, 400, 900, 1700, 2300, 3600, 6000, 8000.0])
FORCED = np.array([0, 60, 250, 900, 2000, 3000, 3600, 3900.0])


def on_example(known: float = 0.7, **changes: object) -> CascadeView:
    curves = CascadeCurves(
        X, {"down": B, "up": B}, {"down": known * B, "up": known * B}, {"down": FORCED, "up": FORCED}
    )
    return cascade(70_000.0, curves=curves, **changes)


def show(site: Site, view: CascadeView | None) -> None:
    site.view = fake.service(assets=(fake.asset("BTC", cascade=view, refill_ratio={1: 0.0, 5: 0.708333333}),))


@pytest.mark.parametrize(
    ("sale", "landing", "forced", "multiplier"),
    [
        (200, 0.00294117647, 35.2941176, 1.17647059),
        (500, 0.00758064516, 158.064516, 1.31612903),
        (799, 0.0199333333, 895.666667, 2.12098456),
        (801, 0.05335, 3067, 4.8289638),
        (1200, 0.06, 3200, 3.66666667),
    ],
)
async def test_sales_of_the_example(site: Site, sale: float, landing: float, forced: float, multiplier: float) -> None:
    show(site, on_example())
    status, body, _ = await site.get(f"/api/v1/assets/BTC/what-if?sell_base={sale}")
    assert status == 200
    assert body["landing_ratio"] == pytest.approx(landing, rel=1e-6)
    assert body["forced_base"] == pytest.approx(forced, rel=1e-6)
    assert body["multiplier"] == pytest.approx(multiplier, rel=1e-6)
    assert body["ignition"]["sale_base"] == pytest.approx(800)
    assert body["ignition"]["sale_usd"] == pytest.approx(55_734_000, rel=1e-6)
    assert body["scales"]["low"]["ignition"] is None
    assert body["scales"]["high"]["ignition"]["runaway_ratio"] == pytest.approx(0.01)
    assert body["observed_ratio"] == pytest.approx(0.7)
    assert body["indicative"] is False
    assert body["map"]["driven_by"] == "map"
    assert body["books"] == ["binance_usdm:BTCUSDT", "okx_swap:BTC-USDT-SWAP"]
    assert body["left_out"] == ["bybit_linear:BTCUSDT resyncing after a gap"]


async def test_dollars_purchases_and_time(site: Site) -> None:
    show(site, on_example(known=0.2))
    _, in_usd, _ = await site.get("/api/v1/assets/BTC/what-if?sell_usd=55734000&seconds=60")
    assert in_usd["sale_base"] == pytest.approx(800, rel=1e-6)
    assert in_usd["indicative"] is True
    assert in_usd["over_time"]["refill_per_second"] == pytest.approx(0.2464, rel=1e-3)
    assert 0 < in_usd["over_time"]["deepest_ratio"] < in_usd["landing_ratio"]
    _, bought, _ = await site.get("/api/v1/assets/BTC/what-if?buy_base=500")
    assert (bought["side"], bought["landing_ratio"]) == ("buy", pytest.approx(0.00758064516, rel=1e-6))


async def test_the_page_names_what_the_service_adds(site: Site) -> None:
    show(site, on_example())
    _, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_usd=5e6&seconds=60")
    page = (Path(__file__).parents[3] / "docs" / "what-if.md").read_text(encoding="utf-8")
    section = page.partition("## Over HTTP")[2].partition("## The answer")[0]
    named = {
        key.strip(" `")
        for line in section.splitlines()
        if line.startswith("| `")
        for key in line.split("|")[1].split(",")
    }
    assert named <= set(body)
    assert len(named) == 7


async def test_laws_of_a_days_scale_stand_beside(site: Site) -> None:
    """models.md 4.5: 5 bn sold of 30 bn a day at 4% a day."""
    deep = CascadeCurves(X, {"down": 1e3 * B}, {"down": B}, {"down": 0 * B})
    view = replace(on_example(sigma_1h_ratio=0.04 / 24**0.5, day_volume_usd=30e9), curves=deep)
    show(site, view)
    _, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_usd=5e9")
    assert body["impact_laws"]["square_root_ratio"] == pytest.approx(0.0163299316, rel=1e-6)
    assert body["impact_laws"]["invariance_ratio"] == pytest.approx(0.190785707, rel=1e-6)
    show(site, on_example(day_volume_usd=None))
    _, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_base=5")
    assert body["impact_laws"] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "exactly one amount"),
        ("sell_base=1&buy_base=1", "exactly one amount"),
        ("sel_base=1", "unknown parameter 'sel_base'"),
        ("sell_base=-3", "positive number"),
        ("sell_base=nan", "positive number"),
        ("sell_base=inf", "positive number"),
        ("sell_base=1&seconds=99999", "at most 3600"),
        ("sell_usd=1e300", "does not hold"),
    ],
)
async def test_questions_that_make_no_sense(site: Site, query: str, said: str) -> None:
    show(site, on_example())
    status, body, _ = await site.get(f"/api/v1/assets/BTC/what-if?{query}")
    assert status == 400
    assert said in body["error"]


async def test_without_curves_the_reason_is_said(site: Site) -> None:
    show(site, cascade(70_000.0, sides={}, curves=None, reason="no book of the asset is verified"))
    status, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_base=1")
    assert (status, body["reason"]) == (503, "no book of the asset is verified")
    show(site, None)
    status, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_base=1")
    assert (status, body["reason"]) == (503, "not computed yet")
    status, body, _ = await site.get("/api/v1/assets/BTCX/what-if?sell_base=1")
    assert (status, body["nearest"]) == (404, "BTC")


async def test_no_refill_seen_gives_no_answer_over_time(site: Site) -> None:
    site.view = fake.service(assets=(fake.asset("BTC", cascade=on_example(), refill_ratio={}),))
    _, body, _ = await site.get("/api/v1/assets/BTC/what-if?sell_base=500&seconds=60")
    assert body["over_time"] is None
