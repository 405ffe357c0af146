"""What a map starts from: volume by price of a week of candles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from liquidation_rig import candles

from monitor.clock import SECOND
from monitor.facts import Candle, Candles
from monitor.liquidation.profile import PIECES, profile_of

HOUR = 3600 * SECOND


def made(closes: list[float], **changes: float) -> Candles:
    rows = tuple(
        replace(Candle(i * HOUR, close * 0.99, close * 1.01, close, 10.0, None), **changes)
        for i, close in enumerate(closes)
    )
    return Candles("X", rows, rows[-1].open_time)


def test_an_hours_volume_is_spread_over_its_range() -> None:
    profile = profile_of(made([100.0, 200.0]))
    assert profile is not None
    assert len(profile.ratios) == 2 * PIECES
    assert profile.weights.sum() == pytest.approx(20.0)
    assert profile.ratios[:PIECES].mean() == pytest.approx(0.5)  # of the last close
    assert profile.ratios[PIECES:].min() > 0.99
    assert (profile.sigma_1h, profile.day) == (None, None)


def test_the_last_day_is_the_last_24_whole_hours() -> None:
    profile = profile_of(made([100.0 + i for i in range(40)]))
    assert profile is not None
    assert profile.day == 240.0


def test_hours_that_make_no_sense_are_left_out() -> None:
    good = candles()
    spoilt = replace(good, rows=(replace(good.rows[0], low=-1.0), replace(good.rows[1], volume=0.0), *good.rows[2:]))
    profile = profile_of(spoilt)
    assert profile is not None
    assert len(profile.ratios) == (len(good.rows) - 2) * PIECES
    assert profile_of(made([100.0], volume=0.0)) is None
    assert profile_of(made([100.0], close=0.0)) is None


def test_the_week_says_how_far_an_hour_goes() -> None:
    generator = np.random.default_rng(2)
    closes = (70_000 * np.exp(np.cumsum(generator.normal(0, 0.006, 168)))).tolist()
    profile = profile_of(made(closes))
    assert profile is not None
    assert profile.sigma_1h == pytest.approx(0.006, rel=0.15)
    holes = Candles("X", made(closes).rows[::2], 0)  # no two of them are an hour apart
    lonely = profile_of(holes)
    assert lonely is not None
    assert lonely.sigma_1h is None
    assert not math.isnan(profile.weights.sum())
