"""The liquidation model as samples: what is in range, what is not, what is not known."""

from __future__ import annotations

import math

import fake_cascade as made
import fake_views as fake
import pytest

from monitor.cascade_views import CascadeView
from monitor.metrics.cascade import READERS, bin_name, samples

Figures = dict[tuple[str, ...], float | None]


def read(name: str, view: CascadeView | None) -> Figures:
    return {tuple(labels): figure for labels, figure in samples(name, [fake.asset("BTC", cascade=view)])}


def test_a_cascade_in_range_out_of_range_and_without_end() -> None:
    view = made.cascade()
    assert read("cascade_distance_ratio", view) == {
        ("BTC", "down", "low"): math.inf,
        ("BTC", "down", "base"): 0.02,
        ("BTC", "down", "high"): 0.01,
        **{("BTC", "up", scale): math.inf for scale in ("low", "base", "high")},
    }
    landing = read("cascade_landing_ratio", view)
    assert landing["BTC", "down", "low"] is None  # there is none to land
    assert landing["BTC", "down", "base"] == pytest.approx(16 / 300)
    assert landing["BTC", "down", "high"] == math.inf  # nothing in range stops it
    assert read("cascade_ignition_usd", view)["BTC", "up", "base"] is None
    assert read("cascade_observed_ratio", view) == {("BTC", "down"): 0.82, ("BTC", "up"): 0.31}


def test_the_map_and_its_marks() -> None:
    view = made.cascade()
    assert view.exposure is not None
    bins = read("liquidation_exposure_bin_usd", view)
    assert len(bins) == 80
    assert bins["BTC", "long", "0.5%"] == view.exposure.bins_usd["long"][0]
    assert bins["BTC", "short", "20.0%"] == view.exposure.bins_usd["short"][-1]
    assert (bin_name(0.005, 0), bin_name(0.005, 19), bin_name(0.005, 39)) == ("0.5%", "10.0%", "20.0%")
    assert read("liquidation_exposure_usd", view)["BTC", "long", "1%"] == pytest.approx(
        sum(view.exposure.bins_usd["long"][:2])
    )
    assert read("exposure_map_calibrated", view) == {("BTC",): 1}
    assert read("exposure_map_deviance_ratio", view) == {("BTC",): 0.6245}
    doubtful = made.cascade(exposure=made.indicative())
    assert read("exposure_map_calibrated", doubtful) == {("BTC",): 0}
    assert read("exposure_map_slope", doubtful) == {("BTC",): None}


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_known_has_no_figure(name: str) -> None:
    assert set(read(name, made.unknown()).values()) <= {None}
    assert read(name, None) == {}
