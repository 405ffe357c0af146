"""The values settings are made of: durations and shares with their unit, addresses, files. Each says what it wants when it refuses."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

MAX_DURATION_SECONDS: Final = 366 * 86_400.0  # beyond a year it is a slip of the unit; ns of it fit an int64 many times
MAX_PORT: Final = 65_535
MAX_BAND_PERCENT: Final = 50  # a book says nothing about prices further away

_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)")
UNITS: Final = {"d": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6}  # ns, largest first
_BAND: Final = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,5})?)%")
_HOST: Final = r"(?P<host>[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])"
_ORIGIN: Final = re.compile(rf"(?P<scheme>[a-z]{{2,5}})://{_HOST}(?::(?P<port>[0-9]{{1,5}}))?/?")
_LISTEN: Final = re.compile(rf"{_HOST}:(?P<port>[0-9]{{1,5}})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


def parse_duration(value: object) -> float:
    """Seconds of "30m", "0s", "1.5h"; a bare number is refused because it names no unit.

    Raises:
        ValueError: not a duration.
    """
    if isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        seconds = int(Decimal(match[1]) * UNITS[match[2]]) / 1e9
        if seconds <= MAX_DURATION_SECONDS:
            return seconds
        raise ValueError("a duration is at most 366d")
    raise ValueError('a duration with its unit is needed, such as "30m" or "500ms"')


def _band(value: str) -> str:
    """The band as labels spell it: "1.0%" is "1%"."""
    match = _BAND.fullmatch(value)
    if match is None or not 0 < (percent := Decimal(match[1])) <= MAX_BAND_PERCENT:
        raise ValueError(f'a band is a percentage up to {MAX_BAND_PERCENT}, such as "0.25%"')
    return f"{percent.normalize():f}%"


def split_listen(value: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:9464" or "[::1]:9464"; port 0 stands for a free one.

    Raises:
        ValueError: no such address.
    """
    match = _LISTEN.fullmatch(value)
    if match is None or int(match["port"]) > MAX_PORT:
        raise ValueError('an address to listen on is needed, such as "127.0.0.1:9464" or "[::1]:9464"')
    return match["host"], int(match["port"])


def _listen(value: str) -> str:
    split_listen(value)
    return value


def origin(*schemes: str) -> AfterValidator:
    """Scheme, host and port alone; a final slash is taken off."""
    wanted = f"an address of the form {' or '.join(scheme + '://host:port' for scheme in schemes)} is needed"

    def check(value: str) -> str:
        if "@" in value:  # never repeat what may be a password
            raise ValueError(f"{wanted}, without a user or password in it")
        match = _ORIGIN.fullmatch(value)
        if match is None or match["scheme"] not in schemes:
            raise ValueError(wanted)
        if match["port"] is not None and not 0 < int(match["port"]) <= MAX_PORT:
            raise ValueError(f"{wanted}; ports go from 1 to {MAX_PORT}")
        return value.removesuffix("/")

    return AfterValidator(check)


def _path(value: object) -> object:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or _CONTROL.search(value):
        raise ValueError("a path is needed")
    return Path(value)


def _line(value: str) -> str:
    if not value or _CONTROL.search(value):
        raise ValueError("text of one line is needed")
    return value


Duration = Annotated[float, BeforeValidator(parse_duration)]
Band = Annotated[str, AfterValidator(_band)]
Listen = Annotated[str, AfterValidator(_listen)]
FilePath = Annotated[Path, BeforeValidator(_path)]
Line = Annotated[str, AfterValidator(_line)]
