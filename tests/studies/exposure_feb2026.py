"""The exposure map over the fall of February 2026, out of sample: `python -m tests.studies.exposure_feb2026`.

Assumptions are compared, and one set is chosen, on the hours before 5 February 2026 only (4-16 January, 29 January - 4 February). Then
5-11 February is scored: every hour predicted with what was learned before it. The set the service starts with is scored beside it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.acceptance import MapScore
from tests.studies.study_adl import adl_figures, adl_report
from tests.studies.study_data import SHARED_DATA, Floats, Window, crash, january, seconds
from tests.studies.study_scores import Scores, score
from tests.studies.study_walk import MAINTENANCE, MapParameters, Variant, Walk, walk

OUT = Path(__file__).resolve().parents[2] / "build" / "study-exposure.json"
SCORED_FROM, TEST_FROM = seconds("2026-01-04"), seconds("2026-02-05")
NAMES = ("longs", "shorts")
HIGHER_LEVERAGE = (0.10, 0.05, 0.05, 0.10, 0.15, 0.15, 0.20, 0.20)
DEFAULT = Variant("default", MapParameters(MAINTENANCE))
NO_DIFFUSE = replace(DEFAULT, name="default without the diffuse rates", diffuse=False)
TWO_SURVIVALS = replace(DEFAULT, name="default, survival by side", shared=False)

# What is left when the map is told less; volume is doubled because the files do not say whose it is.
ABLATIONS: dict[str, Callable[[Window], dict[str, Floats]]] = {
    "takers half and half": lambda of: {"buy_share": np.full_like(of.buy_share, 0.5)},
    "volume doubled": lambda of: {"volume": 2.0 * of.volume},
    "open interest frozen": lambda of: {"open_interest": np.full_like(of.open_interest, of.open_interest[0])},
}


def candidates() -> list[Variant]:
    found = []
    for mix in (DEFAULT.parameters.taker_mix, HIGHER_LEVERAGE):
        for hours in (24, 72, 240):
            for rho in (0.1, 0.3):
                parameters = replace(
                    DEFAULT.parameters, taker_mix=mix, half_life_seconds=hours * 3600.0, transfer_share=rho
                )
                name = (
                    f"{'higher leverage' if mix is HIGHER_LEVERAGE else 'default mix'}, half-life {hours} h, rho {rho}"
                )
                found.append(Variant(name, parameters))
    return found


def compare(of: Walk, hours: NDArray[np.bool_], predicted: Floats, against: Floats) -> list[Scores]:
    return [score(of.observed[hours, side], predicted[hours, side], against[hours, side]) for side in range(2)]


def criterion(of: Walk) -> float:
    """What a set is chosen by, on the hours before the test: the mean log of both deviance ratios on both sides."""
    before = (of.at >= SCORED_FROM) & (of.at < TEST_FROM)
    return float(
        np.mean(
            [math.log(x) for found in compare(of, before, of.predicted, of.null) for x in (found.poisson, found.gamma)]
        )
    )


def figures_of(of: Walk) -> dict[str, Any]:
    """The comparisons on the hours before the test and on the test's, and the test's days."""
    before, test = (of.at >= SCORED_FROM) & (of.at < TEST_FROM), of.at >= TEST_FROM
    pairs = {
        "path against null": (of.predicted, of.null),
        "path against convex null": (of.predicted, of.convex),
        "path against power law": (of.predicted, of.power),
        "curve a candle ahead against null": (of.curve, of.null),
        "curve an hour ahead against null": (of.static, of.null_static),
        "hour ahead, own survival, against null": (of.static_own, of.null_static),
        "hour ahead, own survival, against power": (of.static_own, of.power),
    }
    found: dict[str, Any] = {
        "refused_candles": of.refused,
        "survival": of.survival.tolist(),
        "null_rate": of.null_rate.tolist(),
    }
    for when, hours in (("before", before), ("test", test)):
        for title, (predicted, against) in pairs.items():
            scores = compare(of, hours, predicted, against)
            found[f"{when}: {title}"] = {name: one.as_dict() for name, one in zip(NAMES, scores, strict=True)}
    found["days"] = days(of, test)
    found["verdict"] = verdicts(of, of.at >= SCORED_FROM)
    return found


def days(of: Walk, hours: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Sums a day, coins: [observed, path, curve a candle ahead, null] by side."""
    found = []
    for day in np.unique(of.at[hours] // 86400):
        inside = (of.at // 86400 == day) & np.isfinite(of.observed[:, 0])
        row: dict[str, Any] = {"day": str(np.datetime64(int(day), "D"))}
        for side, name in enumerate(NAMES):
            row[name] = [float(x[inside, side].sum()) for x in (of.observed, of.predicted, of.curve, of.null)]
        found.append(row)
    return found


def verdicts(of: Walk, hours: NDArray[np.bool_]) -> dict[str, str]:
    """What the service's own score would say at the end."""
    found = {}
    for side, name in enumerate(NAMES):
        running = MapScore()
        for y, predicted, null in zip(
            of.observed[hours, side], of.predicted[hours, side], of.null[hours, side], strict=True
        ):
            running.add(float(y), float(predicted), float(null))
        result = running.score()
        found[name] = (
            f"{result.verdict}: {result.reason} (deviance ratio {result.deviance_ratio:.2f}, slope {result.slope:.2f})"
        )
    return found


def run(windows: list[Window], *, choose: bool = True) -> dict[str, Any]:
    """All figures. Without `choose` only the default is walked (a second of CPU)."""
    found: dict[str, Any] = {"default": figures_of(walk(DEFAULT, windows))}
    if choose:
        walked = [(variant, walk(variant, windows)) for variant in candidates()]
        found["candidates"] = [{"name": variant.name, "criterion": criterion(of)} for variant, of in walked]
        best, best_walk = min(walked, key=lambda pair: criterion(pair[1]))
        found["chosen"] = {"name": best.name, **figures_of(best_walk)}
        for variant in (NO_DIFFUSE, TWO_SURVIVALS):
            found[variant.name] = figures_of(walk(variant, windows))
        for title, change in ABLATIONS.items():
            found[title] = figures_of(walk(DEFAULT, [replace(of, **change(of)) for of in windows]))
    return found


HEAD = "poisson  w/o top  gamma  log^2  nearer  rank map/other  slope map/other  level map/other"


def line(of: dict[str, float]) -> str:
    return (
        f"{of['poisson']:7.3f}  {of['poisson_without_top']:7.3f}  {of['gamma']:5.2f}  {of['log_error']:5.2f}  {of['nearer_share']:6.0%}"
        f"  {of['rank_map']:8.2f}/{of['rank_null']:<5.2f}  {of['slope_map']:9.2f}/{of['slope_null']:<5.2f}"
        f"  {of['level_map']:9.2f}/{of['level_null']:<5.2f}"
    )


def report(found: dict[str, Any]) -> list[str]:
    lines = [f"{'':55}{HEAD}"]
    for title, of in found.items():
        if not isinstance(of, dict) or "days" not in of:
            continue
        lines.append(f"{title}{': ' + of['name'] if 'name' in of else ''}; candles refused: {of['refused_candles']}")
        for key, sides in of.items():
            if ": " in key:
                lines += [f"  {key:42} {name:9} {line(scores)}" for name, scores in sides.items()]
        lines += [f"  service's verdict, {name}: {text}" for name, text in of["verdict"].items()]
        survival = [[round(x, 4) for x in side] for side in of["survival"]]
        lines.append(f"  survival by bucket at the end (first and last: diffuse rate, curvature): {survival}")
    lines.append("coins liquidated a day (default): observed | path | curve | null")
    for row in found["default"]["days"]:
        sums = "   ".join(f"{name} " + " | ".join(f"{x:6.0f}" for x in row[name]) for name in NAMES)
        lines.append(f"  {row['day']}  {sums}")
    for candidate in found.get("candidates", []):
        lines.append(f"  before the test: {candidate['criterion']:7.3f}  {candidate['name']}")
    return lines


def main() -> int:
    if not SHARED_DATA.is_dir():
        print(f"the series are not here: {SHARED_DATA}")
        return 1
    found = run([january(), crash()])
    adl = adl_figures()
    print("\n".join([*report(found), *adl_report(adl)]))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps({"exposure": found, "hyperliquid": adl}, indent=1))
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
