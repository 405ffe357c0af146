"""What a sale or purchase would do, as the answer of the API and of `undertow what-if`: from curves to JSON, nothing else."""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import cascade, curves, reasons, solver
from engines.liquidation import what_if as kernels
from monitor.errors import SettingsError

Side = Literal["sell", "buy"]
SIGNS: Final[dict[Side, int]] = {"sell": curves.DOWN, "buy": curves.UP}
SCALES: Final = dict(zip(("low", "base", "high"), solver.SCALES, strict=True))


def answer(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    price_usd: float,
    side: Side,
    amount: float,
    *,
    in_usd: bool = False,
    noise_base: float = 0.0,
) -> dict[str, Any]:
    """The answer for `amount` coins, or for the coins that bring (cost) that many US dollars in the book alone.

    `x`, `absorption`, `liquidations`: float64[n], a grid and its curves (engines.liquidation.curves). `status` is a name of reasons.py; where
    it leaves no figures, and for what does not exist (no landing, no ignition), there is null. The figures of the base
    scaling stand at the top as well. `extrapolated`: it lands beyond the curves, in a book assumed to go on with its last density; an
    ignition's landing is given within the curves only. An ignition that forces `noise_base` coins or less is none.

    Raises:
        SettingsError: the amount is not positive, or more dollars than the book could ever pay.
    """
    if not 0.0 < amount < math.inf:
        raise SettingsError(f"the amount to {side} must be a positive number, not {amount:g}")
    sign = SIGNS[side]
    head: dict[str, Any] = {"side": side, "price_usd": _finite(price_usd)}
    code = _refusal(x, absorption, liquidations, price_usd)
    sale = amount
    density = curves.last_density(x, absorption) if code == reasons.OK else math.nan
    if in_usd and code == reasons.OK:
        sale = float(curves.coins_worth(x, absorption, amount, density, price_usd, sign))
        if not sale < math.inf:
            raise SettingsError(
                f"this book does not hold {amount:,.0f} US dollars to {side}, however far the price goes"
            )
    found = np.full((len(SCALES), kernels.WHAT_IF_COLUMNS), math.nan)
    if code == reasons.OK:
        scales = np.array(list(SCALES.values()))
        code = int(kernels.what_if(x, absorption, liquidations, price_usd, sign, scales, sale, found))
    known = code < reasons.FIRST_WITHOUT_FIGURES
    direct = float(found[0, kernels.WHAT_IF_DIRECT])
    usd = curves.worth(x, absorption, 0.0, direct, density, price_usd, sign) if math.isfinite(direct) else None
    answers = {
        name: _scaling(x, absorption, liquidations, price_usd, sign, scale, noise_base, found[row], known)
        for row, (name, scale) in enumerate(SCALES.items())
    }
    return {
        **head,
        "status": answers["base"]["status"] or reasons.NAMES[code],
        "sale_base": _finite(sale) if known or not in_usd else None,
        "sale_usd": _finite(usd),
        "direct_ratio": _finite(direct),
        **{key: value for key, value in answers["base"].items() if key not in ("scale", "status")},
        "scales": answers,
    }


def _refusal(
    x: NDArray[np.float64], absorption: NDArray[np.float64], liquidations: NDArray[np.float64], price_usd: float
) -> int:
    if not 0.0 < price_usd < math.inf:
        return reasons.BAD_PRICE
    sound = curves.is_grid(x) and len(x) == len(absorption) == len(liquidations)
    if not (sound and curves.is_curve(absorption) and curves.is_curve(liquidations)):
        return reasons.BAD_CURVE
    return reasons.OK if absorption[-1] > 0.0 else reasons.NO_DEPTH


def _scaling(
    x: NDArray[np.float64],
    absorption: NDArray[np.float64],
    liquidations: NDArray[np.float64],
    price_usd: float,
    sign: int,
    scale: float,
    noise_base: float,
    row: NDArray[np.float64],
    known: bool,
) -> dict[str, Any]:
    ignition = None
    if known:
        found = np.empty(cascade.CASCADE_COLUMNS)
        net, rows = np.empty(len(x)), np.empty((len(x) // 2 + 1, cascade.JUMP_COLUMNS))
        if cascade.assess(x, absorption, liquidations, price_usd, sign, scale, noise_base, 0.0, 0.0, net, rows, found):
            ignition = {
                "sale_base": _finite(found[cascade.IGNITION_BASE]),
                "sale_usd": _finite(found[cascade.IGNITION_USD]),
                "direct_ratio": _finite(found[cascade.DIRECT_RATIO]),
                "runaway_ratio": _finite(found[cascade.RUNAWAY_RATIO]),
                "landing_ratio": _finite(found[cascade.LANDING_RATIO]),
                "extra_forced_base": _finite(found[cascade.FORCED_BASE]),
                "extra_forced_usd": _finite(found[cascade.FORCED_USD]),
            }
    landed = math.isfinite(row[kernels.WHAT_IF_LANDING])
    return {
        "scale": scale,
        "status": reasons.NAMES[reasons.OK if landed else reasons.NOT_ABSORBED] if known else None,
        "landing_ratio": _finite(row[kernels.WHAT_IF_LANDING]),
        "extrapolated": bool(row[kernels.WHAT_IF_LANDING] > x[-1]) if known else None,
        "forced_base": _finite(row[kernels.WHAT_IF_FORCED]),
        "forced_usd": _finite(row[kernels.WHAT_IF_FORCED_USD]),
        "multiplier": _finite(row[kernels.WHAT_IF_MULTIPLIER]),
        "ignition": ignition,
    }


def _finite(value: float | None) -> float | None:
    """JSON has neither NaN nor infinity; both mean here that there is no such figure."""
    return float(value) if value is not None and math.isfinite(value) else None
