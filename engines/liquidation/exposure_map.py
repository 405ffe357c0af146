"""The exposure map of one market: where its leveraged positions would be liquidated (models.md 3)."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import exposure as state
from engines.liquidation.calibration import add_diffuse
from engines.liquidation.exposure_curve import cumulate, read_curve
from engines.liquidation.exposure_intake import MAX_AMOUNT, MAX_PRICE, MIN_PRICE, is_price, read_interval
from engines.liquidation.exposure_step import advance, fill, settle, side_total
from engines.liquidation.exposure_store import dump_state, load_state
from engines.liquidation.exposure_types import Flows, Interval, MapParameters, Position, Reason
from engines.liquidation.priors import feasible_mix

PROFILE_BINS: Final = 40
PROFILE_STEP: Final = 0.005
_PROFILE_MOVES: Final[NDArray[np.float64]] = np.linspace(0.0, PROFILE_BINS * PROFILE_STEP, PROFILE_BINS + 1)


class ExposureMap:
    """Cohorts of longs and shorts by liquidation price and leverage bucket; longs = shorts = open interest after every step.

    Never raises on market data: what cannot be used is named in a `Reason` and changes nothing. Not for several threads.
    """

    def __init__(self, parameters: MapParameters) -> None:
        self.parameters = parameters
        rate, buckets = parameters.maintenance_rate, parameters.buckets
        n = len(buckets)
        self._leverage = np.array(buckets)
        self._taker = np.array(feasible_mix(parameters.taker_mix, buckets, rate))
        self._maker = np.array(feasible_mix(parameters.maker_mix, buckets, rate))
        self._survival = np.array(parameters.survival)
        self._diffuse = (parameters.diffuse_rate, parameters.diffuse_curvature)
        inverse_leverage = 1.0 / self._leverage[1:]
        # In 1/price an inverse short falls and an inverse long rises, with the same formulas (models.md 2.4, cum = 0).
        self._multipliers = np.stack([(1.0 - inverse_leverage) / (1.0 - rate), (1.0 + inverse_leverage) / (1.0 + rate)])
        self._weights = np.array([1.0 / (1.0 - rate), 1.0 / (1.0 + rate)])
        self._sides = {
            Position.LONG: state.RISING if parameters.inverse else state.FALLING,
            Position.SHORT: state.FALLING if parameters.inverse else state.RISING,
        }
        self._interval = np.zeros(state.INTERVAL)
        self._flows = np.zeros(state.FLOWS)
        self._crossed = np.zeros((2, n))
        self._curves = np.zeros((4, 2 * state.BINS + 1))
        self._coins = np.zeros(1)
        self._clear()

    def _clear(self) -> None:
        rows = 2 * (len(self._leverage) - 1)
        self._quantity = np.zeros((rows, state.BINS))
        self._moment = np.zeros((rows, state.BINS))
        self._extent = np.tile(np.array([1, 0], np.int64), (rows, 1))
        self._totals = np.zeros(rows)
        self._window = np.zeros(2, np.int64)
        self._ledger = np.zeros(state.LEDGER)
        self._ledger[state.SCALE : state.SCALE + 2] = 1.0
        self._seeded = False
        self._curves_valid = False

    # -- what it holds
    @property
    def seeded(self) -> bool:
        return self._seeded

    @property
    def open_interest(self) -> float:
        """Base coins, or USD contracts of an inverse market; 0 before `seed`."""
        return float(self._ledger[state.OPEN_INTEREST])

    @property
    def longs(self) -> float:
        return float(side_total(self._totals, self._ledger, self._sides[Position.LONG]))

    @property
    def shorts(self) -> float:
        return float(side_total(self._totals, self._ledger, self._sides[Position.SHORT]))

    @property
    def funding_index(self) -> float:
        """F: funding paid by a long of one coin (one contract) since the start, quote (coin)."""
        index = float(self._ledger[state.FUNDING])
        return -index if self.parameters.inverse else index

    @property
    def fallen(self) -> float:
        """Quantity whose liquidation price lay too far from the price to be kept, so far; it counts as bucket 1."""
        return float(self._ledger[state.FALLEN])

    @property
    def survival(self) -> NDArray[np.float64]:
        """eta by bucket, float64[n]; settable, cut to [0, 1]. Values that are no number are left as they were."""
        return self._survival.copy()

    @survival.setter
    def survival(self, eta: NDArray[np.float64]) -> None:
        values = np.asarray(eta, np.float64)
        if values.shape != self._survival.shape:
            raise ValueError(f"survival must have {len(self._survival)} values, not {values.shape}")
        self._survival = np.where(np.isfinite(values), np.clip(values, 0.0, 1.0), self._survival)
        self._curves_valid = False

    @property
    def diffuse(self) -> tuple[float, float]:
        """(rate, curvature): what buckets do not tell, in expected figures. Settable; what is no rate leaves it as it was."""
        return self._diffuse

    @diffuse.setter
    def diffuse(self, rates: tuple[float, float]) -> None:
        if all(0.0 <= rate < math.inf for rate in rates):
            self._diffuse = (float(rates[0]), float(rates[1]))

    def adopt(self, eta: NDArray[np.float64]) -> None:
        """Takes what was learned on `calibration.with_diffuse`, float64[n + 1]: rate, survival of the levered buckets, curvature."""
        self.diffuse = (float(eta[0]), float(eta[-1]))
        self.survival = np.concatenate([self._survival[:1], eta[1:-1]])

    def by_bucket(self, side: Position) -> NDArray[np.float64]:
        """What the side holds by leverage bucket, float64[n], in the unit of the open interest."""
        which, levered = self._sides[side], len(self._leverage) - 1
        held = np.empty(levered + 1)
        held[0] = self._ledger[state.UNLEVERED + which]
        held[1:] = self._totals[which * levered : (which + 1) * levered] * self._ledger[state.SCALE + which]
        return held

    # -- what changes it
    def seed(
        self, open_interest: float, prices: NDArray[np.float64], weights: NDArray[np.float64], price: float
    ) -> Reason:
        """Starts anew from a volume-by-price profile (prices, weights float64[n]): both sides alike, with the mean of both mixes."""
        entries, shares = np.asarray(prices, np.float64), np.asarray(weights, np.float64)
        if not 0.0 < open_interest <= MAX_AMOUNT:
            return Reason.NO_OPEN_INTEREST
        if not is_price(price):
            return Reason.BAD_PRICE
        if entries.ndim != 1 or entries.shape != shares.shape:
            return Reason.NO_PROFILE
        usable = (entries >= MIN_PRICE) & (entries <= MAX_PRICE) & (shares > 0.0) & (shares <= MAX_AMOUNT)
        entries, shares = entries[usable], shares[usable]
        total = float(shares.sum())
        if not total > 0.0:
            return Reason.NO_PROFILE
        self._clear()
        coordinates = 1.0 / entries if self.parameters.inverse else entries
        fill(
            self._quantity, self._moment, self._extent, self._totals, self._window, self._ledger, self._multipliers,
            (self._taker + self._maker) / 2.0, coordinates, shares / total, open_interest, self._coordinate(price),
            self.parameters.bin_width,
        )  # fmt: skip
        self._seeded = True
        return Reason.OK

    def step(self, interval: Interval) -> Flows:
        """Takes one interval in. With any other reason than OK nothing has changed."""
        reason = read_interval(interval, self.parameters, self._interval) if self._seeded else Reason.NOT_SEEDED
        if reason is not Reason.OK:
            return self._refused(reason)
        flows, crossed = self._flows, self._crossed
        code = advance(
            self._quantity, self._moment, self._extent, self._totals, self._window, self._ledger, self._leverage,
            self._multipliers, self._weights, self._taker, self._maker, self._survival, self.parameters.transfer_share,
            self.parameters.half_life_seconds, self.parameters.bin_width, self.parameters.inverse,
            self._interval, flows, crossed,
        )  # fmt: skip
        if code != state.STEPPED:
            return self._refused(Reason.OPEN_INTEREST_EXHAUSTED)
        self._curves_valid = False
        long, short = self._sides[Position.LONG], self._sides[Position.SHORT]
        values = flows.tolist()
        return Flows(
            Reason.OK,
            values[state.LIQUIDATED + long],
            values[state.LIQUIDATED + short],
            values[state.CLOSED + long],
            values[state.CLOSED + short],
            values[state.OPENED + long],
            values[state.OPENED + short],
            crossed[long].copy(),
            crossed[short].copy(),
        )

    def _refused(self, reason: Reason) -> Flows:
        n = len(self._leverage)
        return Flows(reason, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, np.zeros(n), np.zeros(n))

    # -- what it says
    def liquidations(
        self,
        side: Position,
        reference: float,
        moves: NDArray[np.float64],
        out: NDArray[np.float64],
        scale: float = 1.0,
        crossed: float = math.nan,
        *,
        raw: bool = False,
    ) -> bool:
        """out[i] = base coins liquidated when the mark goes from `reference` to reference x (1 -/+ moves[i]); Lambda of models.md 4.

        Longs fall, shorts rise; moves float64[n] >= 0, piecewise linear in between, 0 at 0. Expected (weighted with survival) or
        raw. `crossed`: the lowest (for shorts the highest) mark since the last step; what lies up to there is left out. False
        with `out` all NaN when nothing is known: not seeded, or no reference.
        """
        if not self._seeded or not is_price(reference) or not 0.0 <= scale < math.inf:
            out[:] = math.nan
            return False
        falls = side is Position.LONG
        start = reference
        if is_price(crossed):
            start = min(reference, crossed) if falls else max(reference, crossed)
        self._read(side, reference, start, -1.0 if falls else 1.0, moves, out, scale, raw)
        if not raw and self._diffuse != (0.0, 0.0):
            coins = self.open_interest / reference if self.parameters.inverse else self.open_interest
            add_diffuse(*self._diffuse, moves, abs(start / reference - 1.0), scale * coins, out)
            np.minimum(out, scale * coins, out=out)  # nobody can be liquidated twice
        return True

    def profile(
        self, side: Position, reference: float, scale: float = 1.0, crossed: float = math.nan
    ) -> NDArray[np.float64]:
        """Expected base coins in each of 40 bins of 0.5% distance, float64[40]; all NaN when nothing is known."""
        cumulative = np.empty(PROFILE_BINS + 1)
        self.liquidations(side, reference, _PROFILE_MOVES, cumulative, scale, crossed)
        return np.diff(cumulative)

    def between(self, side: Position, edges: NDArray[np.float64], scale: float = 1.0) -> NDArray[np.float64]:
        """Expected base coins between neighbours of ascending price edges float64[n], float64[n-1]: a column of a heat map.

        Without the diffuse part, which has no place of its own.
        """
        out = np.full(len(edges), math.nan)
        if self._seeded and len(edges) > 1 and is_price(edges[0]) and bool(np.all(np.diff(edges) > 0.0)):
            # Longs hold what lies above an edge: measured from the far end of the grid, both sides grow one way.
            top = float(edges[-1] if side is Position.LONG else edges[0])
            moves = np.abs(edges / top - 1.0)
            self._read(side, top, top, -1.0 if side is Position.LONG else 1.0, moves, out, scale, raw=False)
        return np.abs(np.diff(out))

    def crossed_by_bucket(self, side: Position, extreme: float) -> NDArray[np.float64]:
        """Raw base coins by bucket that a move to the mark `extreme` would cross, float64[n]; all NaN when nothing is known."""
        if not self._seeded or not is_price(extreme):
            return np.full(len(self._leverage), math.nan)
        which, levered = self._sides[side], len(self._leverage) - 1
        found = np.zeros(levered + 1)
        for bucket in range(levered):
            state.cross(
                self._quantity, self._moment, self._extent, self._totals, self._ledger, which, which * levered + bucket,
                self._coordinate(extreme), float(self._weights[which]), self.parameters.bin_width,
                self.parameters.inverse, False, self._coins,
            )  # fmt: skip
            found[bucket + 1] = self._coins[0]
        return found

    def _read(
        self,
        side: Position,
        reference: float,
        start: float,
        direction: float,
        moves: NDArray[np.float64],
        out: NDArray[np.float64],
        scale: float,
        raw: bool,
    ) -> None:
        if not self._curves_valid:
            cumulate(
                self._quantity, self._moment, self._extent, self._window, self._ledger, self._weights, self._survival,
                self.parameters.bin_width, self.parameters.inverse, self._curves,
            )  # fmt: skip
            self._curves_valid = True
        which = self._sides[side]
        read_curve(
            self._curves[which + (2 if raw else 0)], int(self._window[which]), self.parameters.bin_width,
            -1.0 if self.parameters.inverse else 1.0, math.log(reference), math.log(start), direction, moves, scale, out,
        )  # fmt: skip

    def _coordinate(self, price: float) -> float:
        return 1.0 / price if self.parameters.inverse else price

    # -- what survives a restart
    def dump(self) -> dict[str, Any]:
        """Everything but the parameters' values, JSON-able; bins as base64 of zlib of float32."""
        return dump_state(
            self.parameters, self._seeded, self._quantity, self._moment, self._extent, self._window, self._ledger,
            self._survival, self._diffuse,
        )  # fmt: skip

    def load(self, stored: dict[str, Any]) -> None:
        """Takes a `dump` over. ValueError, with nothing changed, for another shape or values no map can have."""
        quantity, moment, extent, window, ledger, survival, diffuse, seeded = load_state(self.parameters, stored)
        self._clear()
        self._quantity, self._moment, self._extent = quantity, moment, extent
        self._window, self._ledger, self._survival, self._diffuse = window, ledger, survival, diffuse
        self._totals = quantity.sum(axis=1)
        self._seeded = seeded
        settle(self._totals, ledger)  # bins are stored as float32: bucket 1 takes up the difference
