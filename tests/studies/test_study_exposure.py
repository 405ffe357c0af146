"""The study runs, looks at nothing it may not know, and its headline figures point where docs/exposure-map.md says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import config

from tests.studies import exposure_feb2026 as study
from tests.studies.study_adl import adl_figures, adl_report
from tests.studies.study_data import crash, january
from tests.studies.study_walk import walk

if config.DISABLE_JIT:
    pytest.skip("700 hours of candles take minutes as plain Python", allow_module_level=True)


@pytest.fixture(scope="module")
def found(shared_data: Path) -> dict[str, Any]:
    return study.run([january(), crash()], choose=False)


def test_the_map_beats_the_null_map_out_of_sample(found: dict[str, Any]) -> None:
    lines = study.report(found)
    assert any("test: path against null" in line for line in lines)
    for side in study.NAMES:
        scores = found["default"]["test: path against null"][side]
        assert scores["hours"] == 167  # 7 days but for one hour the file does not hold
        for measure in ("poisson", "poisson_without_top", "gamma", "log_error"):
            assert scores[measure] < 0.8, (side, measure)
        assert scores["rank_map"] > max(0.85, scores["rank_null"])
        assert 0.5 < scores["slope_map"] < 2.0
        assert 0.5 < scores["level_map"] < 2.0
        # Also against rivals that may be convex, and with the curve as it is published.
        for rival in ("path against convex null", "path against power law", "curve a candle ahead against null"):
            assert found["default"][f"test: {rival}"][side]["poisson"] < 0.8, (side, rival)
        assert found["default"]["verdict"][side].startswith("calibrated")
    assert found["default"]["refused_candles"] == 0


def test_predictions_know_nothing_of_what_comes(shared_data: Path) -> None:
    before = crash()
    half = len(before.hour_start) // 2
    changed = before.liquidated.copy()
    changed[half:] *= 100.0
    first = walk(study.DEFAULT, [before])
    second = walk(study.DEFAULT, [replace(before, liquidated=changed)])
    for name in ("predicted", "curve", "static", "null", "convex", "power", "static_own"):
        np.testing.assert_array_equal(getattr(first, name)[: half + 1], getattr(second, name)[: half + 1])
        assert np.any(getattr(first, name)[half + 1 :] != getattr(second, name)[half + 1 :])


def test_hyperliquid_figures(shared_data: Path) -> None:
    figures = adl_figures()
    assert figures["first_adl_after_seconds"] == pytest.approx(61.7, abs=0.01)
    assert (figures["positions"], figures["liquidated"], figures["adl"]) == (13_031, 2_924, 4_619)
    assert figures["leverage_known"] == 0
    assert sum(bucket["share_of_losses"] for bucket in figures["loss_by_size"]) == pytest.approx(1.0)
    assert "leverage is known in 0 rows" in "\n".join(adl_report(figures))
