"""What the Hyperliquid files of 10 October 2025 hold about who was liquidated, and when ADL came (models.md 2.7)."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np

from tests.studies.study_data import SHARED_DATA, rows

FOLDER = "hyperliquid-adl-2025-10-10"
LOSS_BUCKETS = (0, 100, 1_000, 10_000, 100_000, 1_000_000, math.inf)  # USD


def adl_figures() -> dict[str, Any]:
    """Counts, realised losses of the liquidated by size, and the course of the event."""
    positions = rows(f"{FOLDER}/positions_FINAL_no_addresses.csv.gz")
    liquidated = [row for row in positions if row["was_liquidated"] == "True"]
    losses = np.array([max(0.0, -float(row["realized_pnl"] or 0)) for row in liquidated])
    by_size = []
    for low, high in pairwise(LOSS_BUCKETS):
        inside = (losses >= low) & (losses < high)
        by_size.append(
            {"from": low, "share_of_accounts": inside.mean(), "share_of_losses": losses[inside].sum() / losses.sum()}
        )
    timing = json.loads((SHARED_DATA / FOLDER / "cascade_timing_results.json").read_text())
    course = timing["timeline"]
    first_minute = [step for step in course if step["second"] < 61]
    total = sum(step["liquidations"] for step in course)
    return {
        "positions": len(positions),
        "liquidated": len(liquidated),
        "liquidated_longs": sum(row["side"] == "LONG" for row in liquidated),
        "adl": sum(row["was_adl"] == "True" for row in positions),
        "adl_shorts": sum(row["was_adl"] == "True" and row["side"] == "SHORT" for row in positions),
        "leverage_known": sum(row["leverage_ratio"] != "" for row in positions),
        "entry_known_of_liquidated": sum(row["entry_price"] != "" for row in liquidated),
        "size_zero_of_liquidated": sum(float(row["position_size"]) == 0.0 for row in liquidated),
        "loss_median": float(np.median(losses)),
        "loss_mean": float(losses.mean()),
        "loss_by_size": by_size,
        "first_adl_after_seconds": timing["delay_seconds"],
        "liquidations": total,
        "liquidations_before_first_adl": sum(step["liquidations"] for step in first_minute),
        "share_in_five_busiest_seconds": sum(sorted((step["liquidations"] for step in course), reverse=True)[:5])
        / total,
        "adl_per_liquidation_after": sum(step["adls"] for step in course)
        / (total - sum(s["liquidations"] for s in first_minute)),
    }


def adl_report(found: dict[str, Any]) -> list[str]:
    lines = [
        "Hyperliquid, 10 October 2025 (BTC and SOL positions)",
        f"  {found['positions']} positions, {found['liquidated']} liquidated ({found['liquidated_longs']} of them longs), "
        f"{found['adl']} closed by ADL ({found['adl_shorts']} of them shorts)",
        f"  leverage is known in {found['leverage_known']} rows: the file cannot tell liquidated from others by leverage",
        f"  size is that after the event: zero in {found['size_zero_of_liquidated']} of the liquidated, entry known in "
        f"{found['entry_known_of_liquidated']}; the realised loss stands in for size",
        f"  loss of a liquidated account: median {found['loss_median']:,.0f} USD, mean {found['loss_mean']:,.0f} USD",
    ]
    lines += [
        f"    from {bucket['from']:>9,} USD: {bucket['share_of_accounts']:6.1%} of accounts, {bucket['share_of_losses']:6.1%} of losses"
        for bucket in found["loss_by_size"]
    ]
    lines.append(
        f"  first ADL {found['first_adl_after_seconds']:.1f} s after the first liquidation, after {found['liquidations_before_first_adl']}"
        f" of {found['liquidations']} liquidations; then {found['adl_per_liquidation_after']:.2f} ADL closings a liquidation; "
        f"{found['share_in_five_busiest_seconds']:.0%} of all liquidations in five seconds"
    )
    return lines
