"""GET /api/v1/assets/{asset}/what-if: one sale or purchase on the curves of the last second."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from engines.liquidation import curves as engine
from engines.liquidation import impact, reasons, refill
from monitor.cascade_views import LEAST_OBSERVED, CascadeCurves, CascadeView, Direction
from monitor.errors import SettingsError
from monitor.liquidation.pool import HEADLINE_DROP, NOISE_SHARE, observed_to
from monitor.liquidation.profile import HOURS_A_DAY
from monitor.views import AssetView
from monitor.web.times import rfc3339
from monitor.what_if import Side, answer

Json = dict[str, Any]
AMOUNTS: Final[Mapping[str, tuple[Side, Direction, bool]]] = {  # parameter -> order, direction, in USD
    "sell_base": ("sell", "down", False),
    "sell_usd": ("sell", "down", True),
    "buy_base": ("buy", "up", False),
    "buy_usd": ("buy", "up", True),
}
SECONDS: Final = "seconds"
LONGEST: Final = 3_600.0
STEP: Final = 0.5  # s
FULLY: Final = 0.99  # a book that is back to where it was has refilled at least so much
AFTER: Final = 60.0  # s watched after the order is done
# models.md 13; the engines' speed is 2% of open interest a minute, which the curves do not hold: a twentieth of the liquidations in
# range stands in, which is of that size while about two fifths of the open interest can be liquidated within it.
PERMANENT, MARK_SPEED, ENGINE_SHARE = 0.3, 0.5, 0.05 / 60.0


def what_if_json(asset: AssetView, query: Mapping[str, str]) -> tuple[int, Json]:
    """(HTTP status, body). 400: the question; 503: the books or the map cannot answer now, with the reason."""
    asked = [name for name in query if name in AMOUNTS]
    unknown = [name for name in query if name not in AMOUNTS and name != SECONDS]
    if len(asked) != 1 or unknown:
        known = ", ".join(AMOUNTS)
        wrong = f"unknown parameter {unknown[0]!r}" if unknown else "ask for exactly one amount"
        return 400, {"error": f"{wrong}; one of {known} is needed, {SECONDS} may be added"}
    order, direction, in_usd = AMOUNTS[asked[0]]
    try:
        amount, seconds = _number(asked[0], query[asked[0]]), _duration(query.get(SECONDS))
    except SettingsError as wrong:
        return 400, {"error": str(wrong)}
    view = asset.cascade
    if view is None or view.curves is None or direction not in view.sides or view.price_usd is None:
        reason = view.reason if view is not None and view.reason else "not computed yet"
        return 503, {"error": f"no answer for {asset.asset} now: {reason}", "reason": reason}
    found = view.curves
    absorption, liquidations = found.absorption[direction], found.liquidations[direction]
    noise = NOISE_SHARE * float(engine.value_at(found.drops, absorption, HEADLINE_DROP, 0.0))
    try:
        body = answer(
            found.drops, absorption, liquidations, view.price_usd, order, amount, in_usd=in_usd, noise_base=noise
        )
    except SettingsError as wrong:
        return 400, {"error": str(wrong)}
    landing = body["landing_ratio"]
    observed = observed_to(found.drops, absorption, found.known[direction], math.inf if landing is None else landing)
    body |= {
        "asset": asset.asset,
        "at": rfc3339(view.at),
        "observed_ratio": observed,
        "indicative": observed < LEAST_OBSERVED,
        "map": _map(view),
        "books": [f"{book.venue}:{book.market}" for book in view.books if not book.reason],
        "left_out": [f"{book.venue}:{book.market} {book.reason}" for book in view.books if book.reason],
    }
    body["impact_laws"] = impact_laws(view, body["sale_usd"])
    if seconds is not None:
        body["over_time"] = over_time(asset, found, direction, body["sale_base"], seconds)
    return 200, body


def impact_laws(view: CascadeView, usd: float | None) -> Json | None:
    """What laws of a day's scale say of such a sale (models.md 4.5): orders of magnitude apart, bounds for the extrapolated part only."""
    if usd is None or view.sigma_1h_ratio is None or view.day_volume_usd is None:
        return None
    sigma, volume = view.sigma_1h_ratio * math.sqrt(HOURS_A_DAY), view.day_volume_usd
    return {
        "square_root_ratio": _finite(impact.square_root(usd, volume, sigma)),
        "invariance_ratio": _finite(impact.invariance(usd, volume, sigma)),
        "day_volume_usd": volume,
    }


def over_time(
    asset: AssetView, found: CascadeCurves, direction: Direction, coins: float | None, seconds: float
) -> Json | None:
    """The order worked evenly over some seconds while the book refills as it did after the last sweep (models.md 4.4); base scaling."""
    kappa = refill_rate(asset.refill_ratio)
    if coins is None or kappa is None:
        return None
    steps = max(1, round(seconds / STEP))
    sales = np.zeros(steps + round(AFTER / STEP))
    sales[:steps] = coins / steps
    drops, out = np.empty(len(sales)), np.empty(refill.SIMULATED_COLUMNS)
    liquidations = found.liquidations[direction]
    cap = max(float(liquidations[-1]) * ENGINE_SHARE, 1e-12)
    code = refill.simulate(
        found.drops, found.absorption[direction], liquidations, 1.0, sales, STEP, kappa, PERMANENT, cap, MARK_SPEED, drops, out
    )  # fmt: skip
    if code >= reasons.FIRST_WITHOUT_FIGURES:
        return None
    return {
        "seconds": seconds,
        "refill_per_second": kappa,
        "deepest_ratio": _finite(out[refill.SIMULATED_MAX]),
        "end_ratio": _finite(out[refill.SIMULATED_END]),
        "forced_base": _finite(out[refill.SIMULATED_FORCED]),
        "multiplier": _finite(out[refill.SIMULATED_MULTIPLIER]),
    }


def refill_rate(ratios: Mapping[int, float]) -> float | None:
    """kappa from the shortest horizon at which something was back after the last sweep; None: no sweep was seen, or nothing came back."""
    for seconds, ratio in sorted(ratios.items()):
        if ratio > 0.0:
            return -math.log1p(-min(ratio, FULLY)) / seconds
    return None


def _map(view: CascadeView) -> Json:
    exposure = view.exposure
    return {
        "driven_by": "map" if view.map_driven else "null map",
        "state": exposure.state if exposure is not None else "unknown",
        "reason": exposure.reason if exposure is not None else view.reason,
    }


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SettingsError(f"{name} must be a positive number, not {text[:40]!r}")
    return value


def _duration(text: str | None) -> float | None:
    if text is None:
        return None
    value = _number(SECONDS, text)
    if value > LONGEST:
        raise SettingsError(f"{SECONDS} must be at most {LONGEST:.0f}")
    return value


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
