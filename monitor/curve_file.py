"""Curves from a JSON file: `{"price_usd", "absorption": [[drop_ratio, cumulative_base], ...], "liquidations": [[...]]}`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from engines.liquidation.curves import FARTHEST_DOWN, FARTHEST_UP, common_grid
from monitor.errors import SettingsError

MAX_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Both curves on one grid, as engines.liquidation.curves has them."""

    price_usd: float
    x: NDArray[np.float64]
    absorption: NDArray[np.float64]
    liquidations: NDArray[np.float64]


def read_curves(path: Path, *, upward: bool = False) -> Curves:
    """The file's curves. A first node (0, 0) may be left out; `liquidations` may be empty. `upward`: drops may exceed 1.

    Raises:
        SettingsError: names the file and the key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise SettingsError(f"{path}: larger than {MAX_BYTES >> 20} MiB")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise SettingsError(f"{path}: not JSON: {error}") from None
    if not isinstance(document, dict):
        raise SettingsError(f"{path}: not an object with price_usd, absorption and liquidations")
    price = _number(_key(path, document, "price_usd"), f"{path}: price_usd")
    if price <= 0.0:
        raise SettingsError(f"{path}: price_usd: {price:g} is not a positive number")
    farthest = FARTHEST_UP if upward else FARTHEST_DOWN
    at, absorption = _curve(path, document, "absorption", farthest)
    if len(at) < 2:
        raise SettingsError(f"{path}: absorption: no node beyond a drop of 0")
    forced_at, forced = _curve(path, document, "liquidations", farthest)
    return Curves(price, *common_grid(at, absorption, forced_at, forced))


def _key(path: Path, document: dict[str, Any], key: str) -> object:
    if key in document:
        return document[key]
    close = get_close_matches(key, document, n=1, cutoff=0.6)
    raise SettingsError(f"{path}: {key} is missing" + (f"; is it {close[0][:40]!r}?" if close else ""))


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SettingsError(f"{where}: not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise SettingsError(f"{where}: not a finite number")
    return number


def _curve(
    path: Path, document: dict[str, Any], key: str, farthest: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rows = _key(path, document, key)
    if not isinstance(rows, list):
        raise SettingsError(f"{path}: {key}: not a list of [drop_ratio, cumulative_base]")
    drops, coins = [0.0], [0.0]
    for place, row in enumerate(rows):
        where = f"{path}: {key}[{place}]"
        if not isinstance(row, list) or len(row) != 2:
            raise SettingsError(f"{where}: not [drop_ratio, cumulative_base]")
        drop, held = _number(row[0], f"{where}: drop_ratio"), _number(row[1], f"{where}: cumulative_base")
        if drop < 0.0 or held < 0.0:
            raise SettingsError(f"{where}: negative")
        if drop > farthest:
            raise SettingsError(f"{where}: a drop_ratio of {drop:g}; 0.01 is 1%, and {farthest:g} is the most")
        if place == 0 and drop == 0.0:
            if held > 0.0:
                raise SettingsError(f"{where}: nothing can stand within a drop of 0, so the first node is [0, 0]")
            continue
        if drop <= drops[-1]:
            raise SettingsError(f"{where}: drops must ascend, and {drop:g} follows {drops[-1]:g}")
        if held < coins[-1]:
            raise SettingsError(f"{where}: coins are cumulative, and {held:g} follows {coins[-1]:g}")
        drops.append(drop)
        coins.append(held)
    if len(drops) == 1 and key == "liquidations":  # nobody is leveraged: a flat curve
        return np.array([0.0, farthest * 1e-3]), np.zeros(2)
    return np.array(drops), np.array(coins)
