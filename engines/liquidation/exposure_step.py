"""One interval of the map, and its first filling (models.md 3.3). State and coordinates: `engines.liquidation.exposure`."""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numpy.typing import NDArray

from engines.kernel import BOOL, F64, F64_1, F64_2, I64, I64_1, I64_2, kernel
from engines.liquidation.exposure import (
    BUYS,
    CLOSED,
    DOI,
    DT,
    EXHAUSTED,
    FACTOR_FALLING,
    FALLING,
    FOLD_AT,
    FUNDING,
    FUNDING_PAID,
    HIGH,
    INDEX,
    LIQUIDATED,
    LOW,
    OPEN_INTEREST,
    OPENED,
    RENORMALISE_AT,
    RISING,
    SCALE,
    SELLS,
    STEPPED,
    TILT_FALLING,
    UNLEVERED,
    VWAP,
    cross,
    fold,
    place,
    renormalise,
    slide,
)
from engines.liquidation.priors import side_mix


@kernel(F64(F64_1, F64_1, I64))
def side_total(totals: NDArray[np.float64], ledger: NDArray[np.float64], side: int) -> float:
    """Everything the side holds, bucket 1 included."""
    levered = totals.shape[0] // 2
    total = 0.0
    for row in range(side * levered, (side + 1) * levered):
        total += totals[row]
    return float(ledger[UNLEVERED + side] + total * ledger[SCALE + side])


@kernel(types.void(F64_1, F64_1))
def settle(totals: NDArray[np.float64], ledger: NDArray[np.float64]) -> None:
    """Puts what rounding left between a side's sum and the open interest into bucket 1."""
    for side in range(2):
        rest = ledger[OPEN_INTEREST] - side_total(totals, ledger, side)
        ledger[UNLEVERED + side] = max(0.0, ledger[UNLEVERED + side] + rest)


@kernel(
    I64(
        F64_2, F64_2, I64_2, F64_1, I64_1, F64_1, F64_1, F64_2, F64_1, F64_1, F64_1, F64_1,
        F64, F64, F64, BOOL, F64_1, F64_1, F64_2,
    )
)  # fmt: skip
def advance(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    leverage: NDArray[np.float64],
    multipliers: NDArray[np.float64],
    weights: NDArray[np.float64],
    taker: NDArray[np.float64],
    maker: NDArray[np.float64],
    survival: NDArray[np.float64],
    rho: float,
    half_life: float,
    width: float,
    inverse: bool,
    interval: NDArray[np.float64],
    flows: NDArray[np.float64],
    crossed: NDArray[np.float64],
) -> int:
    """One interval in the order of models.md 3.3; the interval's values are checked by the caller. EXHAUSTED leaves everything as it was.

    multipliers float64[2, K], weights float64[2]; flows float64[FLOWS] in contract units; crossed float64[2, K+1]: what was
    crossed by bucket before survival (X of 3.5), base coins.
    """
    open_interest = ledger[OPEN_INTEREST]
    change = interval[DOI]
    if change < -open_interest:
        return EXHAUSTED
    levered = leverage.shape[0] - 1
    price = interval[VWAP]
    coins = np.zeros(1)
    mix = np.empty(levered + 1)

    # 0. funding
    ledger[FUNDING] += interval[FUNDING_PAID]
    ledger[INDEX] += interval[FUNDING_PAID]

    # 1. liquidations
    for side in range(2):
        flows[LIQUIDATED + side] = 0.0
        crossed[side, 0] = 0.0
        reach = interval[LOW] if side == FALLING else interval[HIGH]
        for bucket in range(levered):
            row = side * levered + bucket
            amount = cross(
                quantity, moment, extent, totals, ledger, side, row, reach, weights[side], width, inverse, True, coins
            )
            crossed[side, bucket + 1] = coins[0]
            flows[LIQUIDATED + side] += survival[bucket + 1] * amount
            ledger[UNLEVERED + side] += (1.0 - survival[bucket + 1]) * amount

    # The rings follow the price before anything new is placed. Cohorts end at the low; new ones end at the price.
    if abs(ledger[INDEX]) > FOLD_AT * price:
        fold(quantity, moment, extent, totals, window, ledger, weights, width)
    slide(quantity, moment, extent, totals, window, ledger, FALLING, max(price, interval[LOW]), width)
    slide(quantity, moment, extent, totals, window, ledger, RISING, min(price, interval[HIGH]), width)

    # 2. gross flows. Nobody can close more than there is: a turnover far above the open interest is cut to it.
    volume = interval[BUYS] + interval[SELLS]
    transfers = rho * max(0.0, volume - abs(change)) / 2.0
    closings = min(open_interest, max(-change, 0.0) + transfers)
    # Without a trade nobody is known to be the taker.
    buyers = interval[BUYS] / volume if volume > 0.0 else 0.5
    kept = 1.0 if half_life <= 0.0 else math.exp(-math.log(2.0) * interval[DT] / half_life)
    for side in range(2):
        liquidated = flows[LIQUIDATED + side]
        closed = max(0.0, closings - liquidated)
        total = open_interest - liquidated
        share = max(0.0, 1.0 - closed / total) if total > 0.0 else 0.0
        if share > 1e-12:
            ledger[UNLEVERED + side] *= share
            # 3. decay, of the levered part of what is left
            before = side_total(totals, ledger, side) - ledger[UNLEVERED + side]
            ledger[UNLEVERED + side] += (1.0 - kept) * share * before
            ledger[SCALE + side] *= share * kept
            if ledger[SCALE + side] < RENORMALISE_AT:
                renormalise(quantity, moment, extent, totals, ledger, side, ledger[SCALE + side])
        else:
            ledger[UNLEVERED + side] = 0.0
            renormalise(quantity, moment, extent, totals, ledger, side, 0.0)

        # 4. openings
        opened = max(0.0, change + liquidated + closed)
        flows[CLOSED + side] = closed
        flows[OPENED + side] = opened
        exponent = interval[TILT_FALLING] if side == FALLING else -interval[TILT_FALLING]
        takers = buyers if side == FALLING else 1.0 - buyers
        side_mix(leverage, taker, maker, takers, exponent, interval[FACTOR_FALLING + side], mix)
        ledger[UNLEVERED + side] += opened * mix[0]
        for bucket in range(levered):
            coordinate = price * multipliers[side, bucket] - ledger[INDEX] * weights[side]
            place(
                quantity, moment, extent, totals, window, ledger,
                side, side * levered + bucket, coordinate, opened * mix[bucket + 1], width,
            )  # fmt: skip
    ledger[OPEN_INTEREST] = max(0.0, open_interest + change)
    settle(totals, ledger)
    return STEPPED


@kernel(types.void(F64_2, F64_2, I64_2, F64_1, I64_1, F64_1, F64_2, F64_1, F64_1, F64_1, F64, F64, F64))
def fill(
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    totals: NDArray[np.float64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    multipliers: NDArray[np.float64],
    mix: NDArray[np.float64],
    entries: NDArray[np.float64],
    shares: NDArray[np.float64],
    open_interest: float,
    price: float,
    width: float,
) -> None:
    """Starts an empty state from entries float64[n] (coordinates) with shares float64[n] of the open interest, both sides alike.

    A cohort that the present price would have liquidated is not there: it joins bucket 1.
    """
    levered = quantity.shape[0] // 2
    ledger[OPEN_INTEREST] = open_interest
    for side in range(2):
        slide(quantity, moment, extent, totals, window, ledger, side, price, width)
        for i in range(entries.shape[0]):
            amount = open_interest * shares[i]
            ledger[UNLEVERED + side] += amount * mix[0]
            for bucket in range(levered):
                coordinate = entries[i] * multipliers[side, bucket]
                if (side == FALLING and coordinate >= price) or (side == RISING and coordinate <= price):
                    ledger[UNLEVERED + side] += amount * mix[bucket + 1]
                else:
                    place(
                        quantity, moment, extent, totals, window, ledger,
                        side, side * levered + bucket, coordinate, amount * mix[bucket + 1], width,
                    )  # fmt: skip
    settle(totals, ledger)
