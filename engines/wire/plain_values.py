"""Single values of a frame on the plain path: decimal text to grid units, integers, times, choices."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from engines.wire.errors import WireError, shown
from engines.wire.json_text import Number
from engines.wire.scale import Grid

INT64_MAX: Final = 2**63 - 1
INT64_DIGITS: Final = 19
# Far beyond any venue; keeps a hostile "1e9999" or a megabyte of digits from becoming a giant integer.
MAX_DIGITS: Final = 100
FRACTION_DIGITS: Final = 9  # of a second, down to ns

_DECIMAL = re.compile(r"([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]{1,4}))?")
_INTEGER = re.compile(r"-?[0-9]+")
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]{1,32}))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SECOND: Final = 10**9


def to_units(text: str, grid: Grid, where: str) -> int:
    """Decimal text as whole units of the grid, exactly.

    Raises:
        WireError: `number` (not an unsigned decimal), `digits` (beyond int64), `off_grid` (not a multiple of the step).
    """
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise WireError("number", where, f"an unsigned decimal belongs here, got {shown(text)}")
    whole, fraction, exponent = match.groups()
    fraction = (fraction or "").rstrip("0")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    shift = int(exponent or 0) + grid.decimals - len(fraction)
    if len(digits) + max(shift, 0) > MAX_DIGITS:
        raise WireError("digits", where, f"{shown(text)} has too many digits")
    if -shift > len(digits):
        scaled, rest = 0, 1
    else:
        power: int = 10 ** abs(shift)
        scaled, rest = (int(digits) * power, 0) if shift >= 0 else divmod(int(digits), power)
    units, left = divmod(scaled, grid.multiple)
    if rest or left:
        raise WireError("off_grid", where, f"{shown(text)} is not a multiple of {grid.step}")
    if units > INT64_MAX:
        raise WireError("digits", where, f"{shown(text)} is beyond a 64-bit integer")
    return units


def to_signed_units(text: str, grid: Grid, where: str) -> int:
    """Like `to_units`, with a minus sign allowed before the digits."""
    return -to_units(text[1:], grid, where) if text[:1] == "-" else to_units(text, grid, where)


def to_integer(value: Any, unit: int, where: str) -> int:
    """An id or a time, times `unit`.

    Raises:
        WireError: `shape`, `number` or `digits`.
    """
    if not isinstance(value, str):
        raise WireError("shape", where, f"an integer belongs here, got {shown(value)}")
    if _INTEGER.fullmatch(value) is None:
        raise WireError("number", where, f"an integer belongs here, got {shown(value)}")
    if len(value.lstrip("-0")) > INT64_DIGITS or abs(int(value)) > INT64_MAX // unit:
        raise WireError("digits", where, f"{shown(value)} is beyond a 64-bit integer")
    return int(value) * unit


def to_time(value: Any, where: str) -> int:
    """A time as RFC 3339 text, in ns since 1970; digits below a nanosecond are dropped.

    Raises:
        WireError: `shape` (not text), `number` (no such time), `digits` (before 1970, or beyond int64).
    """
    if type(value) is not str:
        raise WireError("shape", where, f"a time as text belongs here, got {shown(value)}")
    match = _TIME.fullmatch(value)
    if match is None:
        raise WireError("number", where, f"an RFC 3339 time belongs here, got {shown(value)}")
    year, month, day, hour, minute, second, fraction, sign, off_hours, off_minutes = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:
        raise WireError("number", where, f"there is no day {shown(value)}") from None
    seconds = ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
    if sign is not None:
        offset = (int(off_hours) * 60 + int(off_minutes)) * 60
        seconds -= offset if sign == "+" else -offset
    time = seconds * _SECOND + int((fraction or "")[:FRACTION_DIGITS].ljust(FRACTION_DIGITS, "0"))
    if not 0 <= time <= INT64_MAX:
        raise WireError("digits", where, f"{shown(value)} is not between 1970 and 2262")
    return time


def to_choice(value: Any, options: tuple[str | bool, ...], where: str) -> int | None:
    """The index of a text or a boolean among the options; None: none of them.

    Raises:
        WireError: `shape`: neither text nor a boolean.
    """
    if isinstance(value, Number) or not isinstance(value, str | bool):
        raise WireError("shape", where, f"text or a boolean belongs here, got {shown(value)}")
    for index, option in enumerate(options):
        if type(option) is type(value) and option == value:
            return index
    return None


def to_text(value: Any, where: str) -> str:
    """Raises WireError `shape` for anything but a JSON string."""
    if type(value) is not str:
        raise WireError("shape", where, f"text belongs here, got {shown(value)}")
    return value
