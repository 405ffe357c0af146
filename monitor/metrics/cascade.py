"""The liquidation model as samples: label values and figure, by metric. Unknown figures are None and have no series."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from monitor.cascade_views import CascadeView, ExposureView, Jump
from monitor.views import AssetView

Sample = tuple[Sequence[str], float | None]
EXPOSED: Final = ("long", "short")


def _sides(read: Callable[[float, Jump | None], float | None]) -> Callable[[str, CascadeView], Iterator[Sample]]:
    """One sample a direction and scaling, of its gain and first jump."""

    def samples(asset: str, view: CascadeView) -> Iterator[Sample]:
        for direction, side in view.sides.items():
            for scale, figures in side.figures.items():
                yield (asset, direction, scale), read(figures.gain, figures.first)

    return samples


def _observed(asset: str, view: CascadeView) -> Iterator[Sample]:
    for direction, side in view.sides.items():
        yield (asset, direction), side.observed_ratio


def _exposure(read: Callable[[str, ExposureView], Iterable[Sample]]) -> Callable[[str, CascadeView], Iterable[Sample]]:
    return lambda asset, view: () if view.exposure is None else read(asset, view.exposure)


def _within(asset: str, exposure: ExposureView) -> Iterator[Sample]:
    for (position, distance), usd in exposure.within_usd.items():
        yield (asset, position, distance), usd


def bin_name(ratio: float, number: int) -> str:
    """The far edge of a bin: "0.5%" for the first."""
    return f"{ratio * (number + 1):.1%}"


def _bins(asset: str, exposure: ExposureView) -> Iterator[Sample]:
    for position in EXPOSED:
        for number, usd in enumerate(exposure.bins_usd.get(position, ())):
            yield (asset, position, bin_name(exposure.bin_ratio, number)), usd


def _distance(_: float, jump: Jump | None) -> float:
    return math.inf if jump is None else jump.distance_ratio


def _landing(_: float, jump: Jump | None) -> float | None:
    if jump is None:
        return None
    return math.inf if jump.landing_ratio is None else jump.landing_ratio


READERS: Final[dict[str, Callable[[str, CascadeView], Iterable[Sample]]]] = {
    "cascade_gain": _sides(lambda gain, _: gain),
    "cascade_distance_ratio": _sides(_distance),
    "cascade_ignition_usd": _sides(lambda _, jump: None if jump is None else jump.ignition_usd),
    "cascade_landing_ratio": _sides(_landing),
    "cascade_forced_usd": _sides(lambda _, jump: None if jump is None else jump.forced_usd),
    "cascade_observed_ratio": _observed,
    "liquidation_exposure_usd": _exposure(_within),
    "liquidation_exposure_bin_usd": _exposure(_bins),
    "exposure_map_calibrated": _exposure(lambda asset, e: [((asset,), int(e.state == "calibrated"))]),
    "exposure_map_intervals": _exposure(lambda asset, e: [((asset,), e.score.intervals)]),
    "exposure_map_deviance_ratio": _exposure(lambda asset, e: [((asset,), e.score.deviance_ratio)]),
    "exposure_map_rank_correlation": _exposure(lambda asset, e: [((asset,), e.score.rank_correlation)]),
    "exposure_map_slope": _exposure(lambda asset, e: [((asset,), e.score.slope)]),
    "exposure_map_coverage_ratio": _exposure(lambda asset, e: [((asset,), e.coverage_ratio)]),
    "volatility_1h_ratio": lambda asset, view: [((asset,), view.sigma_1h_ratio)],
    "net_sold_5m_usd": lambda asset, view: [((asset,), view.net_sold_usd)],
    "liquidation_intensity": lambda asset, view: [((asset,), view.hawkes.intensity)],
    "liquidation_branching_ratio": lambda asset, view: [((asset,), view.hawkes.branching)],
}  # fmt: skip


def samples(name: str, assets: Sequence[AssetView]) -> Iterator[Sample]:
    """Every sample of one metric."""
    read = READERS[name]
    for asset in assets:
        if asset.cascade is not None:
            yield from read(asset.asset, asset.cascade)
