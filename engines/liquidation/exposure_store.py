"""The map as a JSON-able value and back (a row in a state file). Each occupied stretch of a row is one base64 text."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engines.liquidation.exposure import BINS, FUNDING, INDEX, LEDGER, OPEN_INTEREST, SCALE, UNLEVERED
from engines.liquidation.exposure_types import MapParameters

FORM: Final = 1
_MAX_BYTES: Final = 4 * BINS
_FARTHEST_LOG: Final = 36.0  # of a liquidation price: prices end at 1e15
_MOST_FUNDING: Final = 1e15
_PACKED: Final = 1e-4  # what float32 may lose of a side's sum
Restored = tuple[
    NDArray[np.float64],
    NDArray[np.float64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.float64],
    tuple[float, float],
    bool,
]


def dump_state(
    parameters: MapParameters,
    seeded: bool,
    quantity: NDArray[np.float64],
    moment: NDArray[np.float64],
    extent: NDArray[np.int64],
    window: NDArray[np.int64],
    ledger: NDArray[np.float64],
    survival: NDArray[np.float64],
    diffuse: tuple[float, float],
) -> dict[str, Any]:
    """Bins as shares of the open interest, at scale 1; offsets are means of log L0 within the bin."""
    rows = []
    open_interest, levered = float(ledger[OPEN_INTEREST]), len(parameters.buckets) - 1
    for row in range(len(quantity)):
        low, high = int(extent[row, 0]), int(extent[row, 1])
        slots = np.arange(low, high + 1) & (BINS - 1)
        held = quantity[row, slots]
        with np.errstate(invalid="ignore", divide="ignore"):
            offsets = np.where(held > 0.0, moment[row, slots] / held, 0.0)
        whole = open_interest / float(ledger[SCALE + row // levered])
        rows.append([low, high, _pack(held / whole if whole > 0.0 else held), _pack(offsets)])
    kept = ledger.copy()
    kept[SCALE : SCALE + 2] = 1.0
    return {
        "form": FORM,
        "buckets": list(parameters.buckets),
        "bin_width": parameters.bin_width,
        "inverse": parameters.inverse,
        "seeded": seeded,
        "window": window.tolist(),
        "ledger": kept.tolist(),
        "survival": survival.tolist(),
        "diffuse": list(diffuse),
        "rows": rows,
    }


def load_state(parameters: MapParameters, stored: dict[str, Any]) -> Restored:
    """The arrays of a dump, or ValueError naming what does not fit these parameters."""
    try:
        return _read(parameters, stored)
    except (KeyError, TypeError, IndexError, OverflowError, zlib.error, binascii.Error) as problem:
        raise ValueError(f"not a stored exposure map: {problem!r}") from problem


def _read(parameters: MapParameters, stored: dict[str, Any]) -> Restored:
    shape = (FORM, list(parameters.buckets), parameters.bin_width, parameters.inverse)
    found = (stored["form"], stored["buckets"], stored["bin_width"], stored["inverse"])
    if found != shape:
        raise ValueError(f"stored map has another shape: {found}, not {shape}")
    n = len(parameters.buckets)
    rows = 2 * (n - 1)
    ledger = _numbers(stored["ledger"], LEDGER, "ledger")
    survival = _numbers(stored["survival"], n, "survival")
    rate, curvature = _numbers(stored["diffuse"], 2, "diffuse rates").tolist()
    window = np.array([_whole(value) for value in stored["window"]], np.int64)
    if window.shape != (2,) or len(stored["rows"]) != rows or not isinstance(stored["seeded"], bool):
        raise ValueError("stored map has another number of rows or windows")
    amounts = np.delete(ledger, [FUNDING, INDEX])  # these may have either sign
    if (
        np.any(amounts < 0.0)
        or np.any(ledger[SCALE : SCALE + 2] != 1.0)
        or np.any((survival < 0.0) | (survival > 1.0))
        or min(rate, curvature) < 0.0
    ):
        raise ValueError("stored map has negative amounts or survival outside [0, 1]")
    if np.any(np.abs(window) * parameters.bin_width > _FARTHEST_LOG) or np.any(
        np.abs(ledger[[FUNDING, INDEX]]) > _MOST_FUNDING
    ):
        raise ValueError("stored map lies where no price is")
    quantity, moment = np.zeros((rows, BINS)), np.zeros((rows, BINS))
    extent = np.tile(np.array([1, 0], np.int64), (rows, 1))
    for row, (first, last, held_text, offset_text) in enumerate(stored["rows"]):
        low, high = _whole(first), _whole(last)
        if low > high:
            continue
        bottom = int(window[row // (n - 1)])
        if low < bottom or high >= bottom + BINS:
            raise ValueError(f"row {row} of the stored map lies outside its window")
        held, offsets = _unpack(held_text, high - low + 1), _unpack(offset_text, high - low + 1)
        if np.any((held < 0.0) | (held > 1.0)) or np.any(np.abs(offsets) > parameters.bin_width):
            raise ValueError(f"row {row} of the stored map holds impossible bins")
        slots = np.arange(low, high + 1) & (BINS - 1)
        quantity[row, slots] = held * ledger[OPEN_INTEREST]
        moment[row, slots] = quantity[row, slots] * offsets
        extent[row] = (low, high)
    for side in range(2):
        levered = quantity[side * (n - 1) : (side + 1) * (n - 1)].sum() + ledger[UNLEVERED + side]
        if stored["seeded"] and abs(levered - ledger[OPEN_INTEREST]) > _PACKED * ledger[OPEN_INTEREST]:
            raise ValueError("a side of the stored map does not hold the open interest")
    return quantity, moment, extent, window, ledger, survival, (rate, curvature), stored["seeded"]


def _pack(values: NDArray[np.float64]) -> str:
    return base64.b64encode(zlib.compress(values.astype("<f4").tobytes(), 1)).decode()


def _unpack(text: str, count: int) -> NDArray[np.float64]:
    reader = zlib.decompressobj()
    raw = reader.decompress(base64.b64decode(text, validate=True), _MAX_BYTES + 1)
    if len(raw) != 4 * count:
        raise ValueError(f"stored bins: {len(raw)} bytes for {count} bins")
    values = np.frombuffer(raw, "<f4").astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise ValueError("stored bins hold what is no number")
    return values


def _numbers(values: Any, count: int, name: str) -> NDArray[np.float64]:
    found = np.array([float(value) for value in values])
    if found.shape != (count,) or not all(math.isfinite(value) for value in found):
        raise ValueError(f"stored {name}: {count} numbers are needed")
    return found


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 10**7:
        raise ValueError(f"stored map: {value!r} is no bin")
    return value
