"""The studies on simulated worlds run, and say what docs/exposure-map.md says they say."""

from __future__ import annotations

import pytest

from tests.studies import simulated_accounts, simulated_cascade


def test_the_map_predicts_the_liquidations_of_known_accounts() -> None:
    """How near it comes to their curve takes a dozen seeds to say: `make study`."""
    found = [simulated_accounts.study(seed, 4.0) for seed in (1, 2)]
    for each in found:
        assert each["deviance_ratio"] < 0.8
        for when in ("at_start", "at_end"):
            for side in ("long", "short"):
                assert 0 < each[when][side]["map"] < 0.6
    assert "deviance map/null" in simulated_accounts.report(found)


def test_sales_into_the_simulated_books_land_where_the_books_say() -> None:
    """Small sales, nobody near liquidation: first passage over the book; makers come back within the step, so that it lands a little higher."""
    stage = simulated_cascade.stage_after("calm", 1, 8.0)
    rows = simulated_cascade.cascades(stage)[:2]
    for row in rows:
        assert row["realised"]["forced"] == 0
        assert row["realised"]["landing"] == pytest.approx(row["true positions"]["landing"], rel=0.35)
    distance = simulated_cascade.distances(stage)["long"]
    assert 0 < distance["map"] < 1
    assert "null" in simulated_cascade.report(
        [{"scenario": "calm", "seed": 1, "seconds": 8.0, "distance": {"long": distance}, "cascades": rows}]
    )
