"""Walking forward: every hour is predicted with what was learned from the hours before it, then learned from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.calibration import DIFFUSE_SCALE, NullRate, OnlineSurvival, null_crossed, with_diffuse
from engines.liquidation.exposure_map import ExposureMap
from engines.liquidation.exposure_types import Interval, MapParameters, Position, Reason
from tests.studies.study_data import CANDLES, Floats, Window

MAINTENANCE = 0.005
PRIOR_SURVIVAL = 0.1  # most of what stands crossed is closed, topped up or hedged before
SMALLEST = 0.05  # coins: below it a liquidated sum is as good as none, and logarithms are cut there
PRIOR_COINS = 100.0  # what a bucket's prior weighs an hour, crossed coins
PRIOR_REACH = 3000.0  # the same for rates: open interest x distance, typical of a quiet hour
PRIOR_RATE = 0.002  # of the open interest a unit of distance
SIDES = (Position.LONG, Position.SHORT)


@dataclass(frozen=True)
class Variant:
    """One set of assumptions. Nothing here may be chosen by looking at the test window."""

    name: str
    parameters: MapParameters = field(default_factory=lambda: MapParameters(MAINTENANCE))
    forgetting: float = 0.998  # an hour
    prior_hours: float = 10.0  # what the priors weigh, in typical hours
    diffuse: bool = True  # with the two learned rates for what buckets do not explain
    shared: bool = True  # one survival for both sides, as the service has it


@dataclass
class Walk:
    """float64[hours, 2 sides] each, coins, made before the hour was learned from; `survival` float64[2, 9] at the end.

    predicted: given the hour's path, candle by candle (what is calibrated). curve: the published curve before each candle, read at
    the candle's extreme (what a cascade is computed from; it cannot know what is opened in the candle). static: the curve before
    the hour at the hour's extreme; static_own: the same with survival learned at that horizon. null, null_static: open interest
    evenly over the distances of the candles, of the hour. convex: the null with the square of each candle's distance.
    power: y = a (open interest x distance in the hour)^b, fitted to all hours before: no map, but free to be as convex as it likes.
    """

    at: NDArray[np.int64]
    observed: Floats
    predicted: Floats
    static: Floats
    null: Floats
    null_static: Floats
    power: Floats
    curve: Floats
    static_own: Floats
    convex: Floats
    survival: Floats
    null_rate: Floats
    refused: int


def seed_profile(past: Window | None, of: Window) -> tuple[Floats, Floats]:
    """Turnover by price of the candles before (the nearest there are), or the first price alone."""
    if past is None:
        spread = np.linspace(-0.06, 0.06, 121)
        return of.open[0] * np.exp(spread), np.exp(-0.5 * (spread / 0.02) ** 2)
    typical = (past.high + past.low + past.close) / 3
    return typical[-7 * 288 :], past.volume[-7 * 288 :]


def walk(variant: Variant, windows: list[Window]) -> Walk:
    """The windows one after another: maps start afresh from the turnover of the window before, what was learned is kept."""
    learned = Learned(variant)
    parts, refused = [], 0
    for i, of in enumerate(windows):
        series, bad = _walk_window(variant, of, windows[i - 1] if i else None, learned)
        parts.append(series)
        refused += bad
    at = np.concatenate([of.hour_start for of in windows])
    joined = np.concatenate(parts, axis=1)
    return Walk(at, *joined, learned.survival(), learned.null_rates(), refused)


class PowerLaw:
    """log y on log x by least squares over everything seen, brought to the right sum by the past's sums."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float]] = []
        self._said = self._seen = 0.0

    def predict(self, x: float) -> float:
        if len(self._rows) < 24 or x <= 0.0:
            return 0.0
        table = np.array(self._rows)
        slope, level = np.polyfit(table[:, 0], table[:, 1], 1)
        return float(np.exp(level + slope * np.log(x))) * (self._seen / self._said if self._said else 1.0)

    def update(self, x: float, y: float) -> None:
        if not (x > 0.0 and y >= 0.0):
            return
        factor = self._seen / self._said if self._said else 1.0
        said = self.predict(x) / factor
        if said > 0.0:
            self._said += said
            self._seen += y
        self._rows.append((float(np.log(x)), float(np.log(max(y, SMALLEST)))))


class Learned:
    """Survival by side (or one for both) and the null rates; the prior's weights are typical of the first days, X only, no outcome."""

    def __init__(self, variant: Variant) -> None:
        self.variant = variant
        prior = np.full(9, PRIOR_SURVIVAL)
        prior[[0, -1]] = PRIOR_RATE if variant.diffuse else 0.0
        weight = np.full(9, PRIOR_COINS * variant.prior_hours)
        weight[[0, -1]] = PRIOR_REACH * variant.prior_hours
        count = 1 if variant.shared else 2
        self.maps, self.static_maps = (
            [OnlineSurvival(weight, prior, variant.forgetting) for _ in range(count)] for _ in range(2)
        )
        self.nulls, self.statics = (
            [NullRate(PRIOR_RATE, weight[0], variant.forgetting) for _ in SIDES] for _ in range(2)
        )
        self.convexes = [NullRate(PRIOR_RATE, weight[0], variant.forgetting) for _ in SIDES]
        self.powers = [PowerLaw() for _ in SIDES]

    def of(self, side: int) -> OnlineSurvival:
        return self.maps[side % len(self.maps)]

    def static_of(self, side: int) -> OnlineSurvival:
        return self.static_maps[side % len(self.static_maps)]

    def survival(self) -> Floats:
        return np.stack([self.of(side).survival for side in range(2)])

    def null_rates(self) -> Floats:
        return np.array([null.rate for null in self.nulls])


def _walk_window(variant: Variant, of: Window, past: Window | None, learned: Learned) -> tuple[Floats, int]:
    """float64[9, hours, 2] in the order of `Walk`, and the candles the map refused."""
    real = ExposureMap(variant.parameters)
    prices, weights = seed_profile(past, of)
    assert real.seed(float(of.open_interest[0]), prices, weights, float(of.open[0])) is Reason.OK
    hours = len(of.hour_start)
    out = np.zeros((9, hours, 2))
    out[0] = of.liquidated
    refused, curve = 0, np.empty(1)
    for hour in range(hours):
        _use(real, learned, variant)
        candles = slice(hour * 12, hour * 12 + 12)
        reference, coins = float(of.open[hour * 12]), real.open_interest
        static_x = []
        extremes = float(min(reference, of.low[candles].min())), float(max(reference, of.high[candles].max()))
        reach = [null_crossed(coins, reference, extreme) for extreme in extremes]
        for side, position in enumerate(SIDES):
            move = np.array([abs(extremes[side] / reference - 1.0)])
            real.liquidations(position, reference, move, curve)
            out[2, hour, side] = curve[0]
            out[4, hour, side] = learned.statics[side].predict(reach[side])
            out[5, hour, side] = learned.powers[side].predict(reach[side])
            ahead = with_diffuse(real.crossed_by_bucket(position, extremes[side]), coins, reference, extremes[side])
            static_x.append(ahead if variant.diffuse else np.concatenate([[0.0], ahead[1:-1], [0.0]]))
            out[7, hour, side] = learned.static_of(side).predict(static_x[side])
        x, uniform, squared, out[6, hour], bad = _hour(real, of, hour)
        refused += bad
        if not variant.diffuse:
            x[:, [0, -1]] = 0.0
        for side in range(2):
            out[1, hour, side] = learned.of(side).predict(x[side])
            out[3, hour, side] = learned.nulls[side].predict(uniform[side])
            out[8, hour, side] = learned.convexes[side].predict(squared[side])
        for side in range(2):
            y = float(of.liquidated[hour, side])
            learned.of(side).update(x[side], y)
            learned.static_of(side).update(static_x[side], y)
            learned.nulls[side].update(uniform[side], y)
            learned.convexes[side].update(squared[side], y)
            learned.statics[side].update(reach[side], y)
            learned.powers[side].update(reach[side], y)
    return out, refused


def _use(real: ExposureMap, learned: Learned, variant: Variant) -> None:
    eta = learned.survival().mean(axis=0)
    real.adopt(eta if variant.diffuse else np.concatenate([[0.0], eta[1:-1], [0.0]]))


def _hour(real: ExposureMap, of: Window, hour: int) -> tuple[Floats, Floats, Floats, Floats, int]:
    """X by side and bucket, the null map's X and the convex one's by side, the curves' sum by side, candles refused."""
    crossed, refused = np.zeros((2, 9)), 0
    uniform, squared, ahead = np.zeros(2), np.zeros(2), np.zeros(2)
    curve = np.empty(1)
    for i in range(hour * 12, hour * 12 + 12):
        buys = float(of.volume[i] * of.buy_share[i])
        low, high = float(min(of.low[i], of.open[i])), float(max(of.high[i], of.open[i]))
        before, reference = real.open_interest, float(of.open[i])
        for side, extreme in enumerate((low, high)):
            real.liquidations(SIDES[side], reference, np.array([abs(extreme / reference - 1.0)]), curve)
            ahead[side] += curve[0]
        flows = real.step(
            Interval(
                CANDLES,
                float(of.open_interest[i + 1]) - before,
                buys,
                float(of.volume[i]) - buys,
                float((of.high[i] + of.low[i] + of.close[i]) / 3),
                low,
                high,
                float(of.funding[i]),
            )
        )
        refused += flows.reason is not Reason.OK
        crossed[0] += with_diffuse(flows.crossed_longs, before, reference, low)
        crossed[1] += with_diffuse(flows.crossed_shorts, before, reference, high)
        for side, extreme in enumerate((low, high)):
            reach = null_crossed(before, reference, extreme)
            uniform[side] += reach
            squared[side] += reach * reach / before / DIFFUSE_SCALE
    return crossed, uniform, squared, ahead, refused
