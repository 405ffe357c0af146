"""How good a series of predictions was. Every measure is of predictions made before the outcome was learned from."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from engines.liquidation.acceptance import calibration_slope, poisson_deviance, rank_correlation
from tests.studies.study_data import Floats
from tests.studies.study_walk import SMALLEST


@dataclass(frozen=True)
class Scores:
    """Deviances are of the map over the null; under 1 the map is better. `*_share`: hours in which the map was nearer."""

    hours: int
    poisson: float  # models.md 3.5 (a)
    poisson_without_top: float  # without the hour that costs either of them most
    gamma: float  # relative errors count alike in quiet and wild hours
    log_error: float  # mean squared error of the logarithm
    nearer_share: float
    rank_map: float
    rank_null: float
    slope_map: float
    slope_null: float
    level_map: float
    level_null: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def score(observed: Floats, predicted: Floats, null: Floats) -> Scores:
    known = np.isfinite(observed)
    y = observed[known]
    maps, nulls = np.maximum(predicted[known], SMALLEST), np.maximum(null[known], SMALLEST)
    of_map = np.array([poisson_deviance(a, b) for a, b in zip(y, maps, strict=True)])
    of_null = np.array([poisson_deviance(a, b) for a, b in zip(y, nulls, strict=True)])
    keep = np.ones(len(y), bool)
    keep[[int(of_map.argmax()), int(of_null.argmax())]] = False
    floor = np.maximum(y, SMALLEST)
    error_map, error_null = np.log(floor / maps), np.log(floor / nulls)
    return Scores(
        len(y),
        float(of_map.sum() / of_null.sum()),
        float(of_map[keep].sum() / of_null[keep].sum()),
        float(gamma_deviance(floor, maps) / gamma_deviance(floor, nulls)),
        float((error_map**2).mean() / (error_null**2).mean()),
        float((np.abs(error_map) < np.abs(error_null)).mean()),
        rank_correlation(y, maps),
        rank_correlation(y, nulls),
        calibration_slope(y, maps),
        calibration_slope(y, nulls),
        float(y.sum() / maps.sum()),
        float(y.sum() / nulls.sum()),
    )


def gamma_deviance(observed: Floats, predicted: Floats) -> float:
    return float(2 * (observed / predicted - 1 - np.log(observed / predicted)).sum())
