"""The exposure map of one market, fed second by second, stepped once a minute, scored before it learns (models.md 3).

A minute is the shortest interval whose open interest is known: venues tell it late, or are asked every few seconds. Between two
steps the marks that were seen are kept, so that what the price has crossed is out of the curve at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.acceptance import MapScore
from engines.liquidation.calibration import FORGETTING, NullRate, OnlineSurvival, null_crossed, with_diffuse
from engines.liquidation.censoring import NOTHING_KNOWN, Estimate, Rule, uncensor
from engines.liquidation.exposure_map import ExposureMap
from engines.liquidation.exposure_types import Flows, Interval, MapParameters, Position, Reason
from monitor.clock import SECOND
from monitor.liquidation.flow import RobustScore
from monitor.liquidation.profile import AT_THE_PRICE, Profile
from monitor.liquidation.reading import LEAST_PRICE, MOST_PRICE, MarketReading
from monitor.margin import brackets_of, first_rate
from monitor.prints import Forced
from monitor.tiers import assumed_tiers

Floats = NDArray[np.float64]

STEP_SECONDS: Final = 60
SEED_PATIENCE: Final = 60 * SECOND  # how long a start waits for candles and tiers
MOST_FUNDING: Final = 0.1  # of the notional in eight hours; venues cap it far below
MOST_A_SECOND: Final = 0.05  # a mark that moves further has to stand ...
DOUBTED_SECONDS: Final = 3  # ... so long before it is believed
HIGHEST_RATE: Final = 0.4  # of the smallest positions; a market that asks more has no leverage to speak of
MUTE_AFTER: Final = 600 * SECOND  # without open interest for this long the map is of the past
RESUMED_WITHIN: Final = 24 * 3600 * SECOND  # an older saved map starts afresh
# Priors of what is learned, from the hours before February 2026 (docs/exposure-map.md): the share of a crossed cohort that was still
# there; liquidations per unit of distance and open interest; and what both are worth, as shares of the open interest (ten hours of it).
SURVIVAL: Final = 0.1
RATE: Final = 0.002
PRIOR_CROSSED: Final = 0.0017
PRIOR_PASSED: Final = 0.05
# The null map that drives a cascade has at least this rate. What is learned goes with every move there and back; in one sudden fall more
# is still there: on 5 February 2026, 20:00, about a tenth of a percent of the open interest for every percent.
SUDDEN_RATE: Final = 0.1
MINUTE_FORGETTING: Final = FORGETTING ** (STEP_SECONDS / 300)
SLOT_SECONDS: Final = 1.0  # sampled feeds show one print a second (models.md 0.1)
EIGHT_HOURS: Final = 28_800.0
SIDES: Final = (Position.LONG, Position.SHORT)
UNSEEN: Final = "the map is not filled yet"


class Outcome(NamedTuple):
    """What one minute liquidated of one position, in coins, and what was expected. NaN: not known."""

    estimate: Estimate
    observed: float  # what the calibration learns from; NaN where the feed does not tell
    predicted: float
    null: float


class Minute(NamedTuple):
    """One closed interval. price_usd: of a coin."""

    forced: Mapping[Position, Forced]  # printed in it, coins
    seconds: float
    heard: bool  # a liquidation would have reached us, the whole time
    complete: bool  # and the venue tells them all
    open_interest: float  # coins
    drop: float  # of open interest, coins
    price_usd: float | None
    flows: Flows
    extremes: Mapping[Position, float]
    reference: float


class MarketExposure:
    """Mutable; its asset's model alone writes it. `reason`: why the map says nothing, "" when it does."""

    def __init__(self, reading: MarketReading) -> None:
        self.name = reading.name
        self.venue, self.market = reading.venue, reading.market
        self.inverse = reading.contract_type == "inverse"
        self.reason = UNSEEN
        self.tiers_source = ""
        self._score = MapScore()
        self.score = self._score.score()  # as of the last `rescore`
        self.map: ExposureMap | None = None
        self.null = NullRate(RATE, 1.0)
        self._survival: OnlineSurvival | None = None
        self._saved: dict[str, Any] | None = None
        self._saved_at = 0
        self._first_at = 0
        self._interest_at = 0  # when open interest was known last
        self._step_at = 0
        self._before: MarketReading | None = None  # at the last step
        self._heard = True  # the whole interval
        self._low = self._high = math.nan
        self._mark = math.nan  # the last one that was believed
        self._doubts = 0  # seconds in which marks far from it came
        self._reference = math.nan  # the mark at the beginning of the interval
        self.interest_usd: float | None = None  # as last known
        self._crowding = RobustScore()  # of the funding rate
        self._funding = 0.0  # share of the notional longs paid to shorts in this interval
        self._last_at = 0

    # -- seconds
    def second(self, reading: MarketReading, at: int, profile: Profile | None) -> None:
        """What the second brought. `profile`: where volume was traded, None: nobody has told yet."""
        mark = reading.price
        if reading.open_interest is not None and reading.open_interest > 0:
            self._interest_at = at
        if mark is None:
            if self.map is None or at - self._step_at > MUTE_AFTER:
                self.reason = "no mark price"
            self._heard = False
            return
        self._first_at = self._first_at or at
        if self.map is None:
            self._start(reading, mark, at, profile)
            return
        if not self._believed(mark):
            return
        self._low = mark if math.isnan(self._low) else min(self._low, mark)
        self._high = mark if math.isnan(self._high) else max(self._high, mark)
        self._heard = self._heard and reading.heard
        if reading.funding_8h is not None and abs(reading.funding_8h) < MOST_FUNDING and self._last_at:
            self._funding += reading.funding_8h * (at - self._last_at) / SECOND / EIGHT_HOURS
        self._last_at = at
        if at - self._interest_at > MUTE_AFTER:
            self.reason = "no open interest for ten minutes"

    def _believed(self, mark: float) -> bool:
        """A mark far from the last one has to stand for some seconds: one that is wrong would empty the map for good."""
        if abs(mark / self._mark - 1.0) > MOST_A_SECOND and self._doubts < DOUBTED_SECONDS:
            self._doubts += 1
            return False
        self._mark, self._doubts = mark, 0
        return True

    def _start(self, reading: MarketReading, mark: float, at: int, profile: Profile | None) -> None:
        interest = reading.open_interest
        if interest is None:
            self.reason = "the venue has not told the open interest"
            return
        if not interest > 0:
            self.reason = "the open interest is not positive"
            return
        told = profile is not None and reading.tiers is not None and not reading.tiers.assumed
        if not told and self._saved is None and at - self._first_at < SEED_PATIENCE:
            self.reason = "waiting for the venue's candles and margin tiers"
            return
        brackets = brackets_of(reading.tiers or assumed_tiers(reading.instrument), reading.instrument)
        self.tiers_source = brackets.source
        made = ExposureMap(MapParameters(min(first_rate(brackets), HIGHEST_RATE), inverse=self.inverse))
        resumed = self._resume(made)
        if resumed is None:
            start = profile if profile is not None else AT_THE_PRICE
            reason = made.seed(interest, start.ratios * mark, start.weights, mark)
            if reason is not Reason.OK:
                self.reason = reason.replace("_", " ")
                return
        coins = interest / mark if self.inverse else interest
        if self._survival is None:
            self._survival = fresh_survival(len(made.parameters.buckets) + 1, coins)
            self.null = NullRate(RATE, PRIOR_PASSED * coins, MINUTE_FORGETTING)
        seen = mark if resumed is None else resumed
        made.adopt(self._survival.survival)
        self.map, self.reason = made, ""
        self._before = reading
        self._last_at = at
        self._step_at = at if resumed is None else min(at, self._saved_at)
        self._mark, self._reference = mark, seen
        self._low, self._high = (
            min(mark, seen),
            max(mark, seen),
        )  # a restart leaves a hole: the price has been there at least
        self._heard = reading.heard and resumed is None

    # -- minutes
    def close(self, reading: MarketReading, at: int) -> Minute | None:
        """Step the map over the interval that ends now; None when nothing can be said of it, which then goes on."""
        before, made = self._before, self.map
        interest = reading.open_interest
        if made is None or before is None or at <= self._step_at or math.isnan(self._low):
            return None
        if interest is None or not interest > 0:
            return None
        bought, sold = reading.bought - before.bought, reading.sold - before.sold
        paid = reading.paid - before.paid
        if min(bought, sold, paid) < 0:  # totals began anew
            self._before = reading
            return None
        change = interest - made.open_interest
        volume = bought + sold
        seconds = (at - self._step_at) / SECOND
        rate = reading.funding_8h
        if rate is not None and not abs(rate) < MOST_FUNDING:
            rate = None
        flows = made.step(
            Interval(
                dt_seconds=seconds,
                open_interest_change=change,
                taker_buy=bought,
                taker_sell=sold,
                vwap=paid / volume if volume > 0 else self._mark,  # a hole ends where the price is now
                low=self._low,
                high=self._high,
                funding_rate=self._funding,
                funding_price=math.sqrt(self._low * self._high),
                funding_z=math.nan if rate is None else self._crowding.score(rate),
                long_short_ratio=math.nan if reading.long_short_ratio is None else reading.long_short_ratio,
            )
        )
        if flows.reason is not Reason.OK:
            if at - self._step_at > MUTE_AFTER:
                self.reason = flows.reason.replace("_", " ")
            return None
        self.reason = ""
        if rate is not None:
            self._crowding.learn(rate, seconds)
        mark = reading.price
        unit = (mark or self._low) if self.inverse else 1.0
        minute = Minute(
            forced={side: self._printed(reading, before, side, unit) for side in SIDES},
            seconds=seconds,
            heard=self._heard,
            complete=self._heard and reading.coverage == "complete",
            open_interest=interest / unit,
            drop=max(0.0, -change) / unit,
            price_usd=None if mark is None or reading.fx is None else mark * reading.fx,
            flows=flows,
            extremes={Position.LONG: self._low, Position.SHORT: self._high},
            reference=self._reference,
        )
        self._before, self._step_at = reading, at
        self._low = self._high = self._reference = self._mark
        self._funding, self._heard = 0.0, reading.heard
        return minute

    def _printed(self, now: MarketReading, before: MarketReading, side: Position, unit: float) -> Forced:
        new, old = now.forced[side.value], before.forced[side.value]
        return Forced(
            max(0, new.prints - old.prints), max(0.0, new.size - old.size) / unit, max(0, new.slots - old.slots)
        )

    def learn(
        self, minute: Minute, coverage: str, complete: Mapping[Position, tuple[float, float]]
    ) -> dict[Position, Outcome]:
        """Score the minute, then learn from it. complete: by position, (coins liquidated, open interest) of the complete feeds."""
        found = {}
        for side in SIDES:
            forced, extreme = minute.forced[side], minute.extremes[side]
            told, interest = complete[side]
            ratio = minute.open_interest / interest if interest > 0 else math.nan
            estimate = _estimate(minute, forced, coverage, told, ratio)
            # What could not be heard is not known to be nothing.
            observed = estimate.base if minute.heard and coverage in ("sampled", "complete") else math.nan
            crossed = minute.flows.crossed_longs if side is Position.LONG else minute.flows.crossed_shorts
            passed = null_crossed(minute.open_interest, minute.reference, extreme)
            predicted, null = math.nan, math.nan
            if self._survival is not None:
                wide = with_diffuse(crossed, minute.open_interest, minute.reference, extreme)
                predicted, null = self._survival.predict(wide), self.null.predict(passed)
                self._score.add(observed, predicted, null)
                self._survival.update(wide, observed)
                self.null.update(passed, observed)
            found[side] = Outcome(estimate, observed, predicted, null)
        if self.map is not None and self._survival is not None:
            self.map.adopt(self._survival.survival)
        return found

    def rescore(self) -> None:
        """Ranks of half a thousand pairs: its asset's markets take turns."""
        self.score = self._score.score()

    # -- what it says
    @property
    def usable(self) -> bool:
        return self.map is not None and not self.reason

    def curve(self, side: Position, reference: float, moves: Floats, out: Floats, *, mapped: bool) -> bool:
        """Cumulative coins liquidated within each move from `reference` into `out`; of the null map unless `mapped`."""
        if self.map is None or not reference > 0:
            out[:] = 0.0
            return False
        if mapped:
            crossed = self._low if side is Position.LONG else self._high
            done = self.map.liquidations(side, reference, moves, out, crossed=crossed)
            if not done:
                out[:] = 0.0
            return done
        held = self.map.open_interest
        scale = max(1.0, SUDDEN_RATE / self.null.rate)
        self.null.liquidations(held / reference if self.inverse else held, moves, out, scale)
        return True

    @property
    def survival(self) -> tuple[float, ...]:
        return () if self.map is None else tuple(self.map.survival.tolist())

    # -- across restarts
    def dump(self) -> Callable[[], dict[str, Any]] | None:
        """What makes the JSON-able state, of now whenever it is called and by whatever thread; None while there is nothing to keep."""
        if self.map is None or self._survival is None:
            saved = self._saved
            return None if saved is None else lambda: saved
        copied = deepcopy(self.map)
        rest = {
            "at": self._step_at,
            "mark": self._mark,
            "survival": self._survival.dump(),
            "null": self.null.dump(),
            "crowding": self._crowding.dump(),
            "score": self._score.dump(),
        }
        return lambda: rest | {"map": copied.dump()}

    def load(self, saved: object, at: int) -> bool:
        """Keep what `dump` gave until the market's map starts; False for what makes no sense or is too old."""
        if not isinstance(saved, dict) or not isinstance(saved.get("at"), int):
            return False
        if not 0 <= at - saved["at"] <= RESUMED_WITHIN:
            return False
        self._saved, self._saved_at = saved, saved["at"]
        return True

    def _resume(self, made: ExposureMap) -> float | None:
        """Fill the map, and what was learned, from what was saved; the mark of then, None when there is nothing."""
        saved, self._saved = self._saved, None
        if saved is None:
            return None
        try:
            made.load(saved["map"])
            survival = fresh_survival(len(made.parameters.buckets) + 1, 1.0)
            survival.load(saved["survival"])
            score = MapScore()
            score.load(saved["score"])
            null = NullRate(RATE, 1.0, MINUTE_FORGETTING)
            null.load(saved["null"])
            mark = float(saved["mark"])
        except (ValueError, KeyError, TypeError, IndexError, OverflowError):
            return None
        if not LEAST_PRICE < mark < MOST_PRICE:
            return None
        self.null = null
        self._survival, self._score, self.score = survival, score, score.score()
        self._crowding.load(saved.get("crowding"))
        return mark


def fresh_survival(columns: int, coins: float) -> OnlineSurvival:
    """Survival before anything was seen; the first and the last column are the diffuse rates (`calibration.with_diffuse`)."""
    weight, prior = np.full(columns, PRIOR_CROSSED * coins), np.full(columns, SURVIVAL)
    weight[[0, -1]], prior[[0, -1]] = PRIOR_PASSED * coins, RATE
    most = np.ones(columns)
    most[[0, -1]] = np.inf
    return OnlineSurvival(weight, prior, MINUTE_FORGETTING, most)  # what is scored is what the map can say


def _estimate(minute: Minute, forced: Forced, coverage: str, told: float, ratio: float) -> Estimate:
    """Coins liquidated, from what was printed and how the venue prints (models.md 3.5)."""
    if minute.complete:
        return Estimate(forced.size, forced.size, forced.size, False)
    scaled = told * ratio
    if coverage == "sampled" and minute.heard:
        found = uncensor(forced.slots, forced.size, minute.seconds, SLOT_SECONDS, Rule.LATEST, minute.drop, told, ratio)
        if found is not NOTHING_KNOWN and not math.isnan(found.base):
            return found
    if math.isfinite(scaled):
        return Estimate(forced.size, max(forced.size, scaled), max(forced.size, scaled), False)
    return Estimate(forced.size, forced.size, forced.size, False)
