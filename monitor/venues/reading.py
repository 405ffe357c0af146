"""Reading a venue's JSON exactly, or refusing it in one sentence that names venue, channel, market and reason."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeVar

import orjson

from engines.wire.grammar import MILLISECOND
from monitor.errors import FrameError

Record = dict[str, object]
T = TypeVar("T")

# Decimal() itself would also take "NaN", "1e99999", "1_0" and digits of other scripts. Java writes small numbers as "3.1E-8".
_DECIMAL: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?P<exponent>[eE][+-]?[0-9]{1,2})?")
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
# RFC 3339, with up to nine decimals of a second.
_MOMENT: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})", re.ASCII)
_REQUEST: Final = re.compile(r"[0-9]{1,18}")
_MAX_EXPONENT: Final = 30  # of a number with an exponent: no venue's price, size or rate is outside 1e-30..1e30
_MAX_NS: Final = 2**63  # times are int64 ns from here on
_SHOWN: Final = 80  # characters of a refused text that an error message shows


def shown(data: bytes | str) -> str:
    """The first characters of a text we refuse, on one line and in ASCII, for an error message."""
    text = data[: _SHOWN * 4].decode("utf-8", "replace") if isinstance(data, bytes) else data
    cut = "..." if len(text) > _SHOWN else ""
    return text[:_SHOWN].encode("unicode_escape").decode("ascii") + cut


@dataclass(frozen=True, slots=True)
class Reader:
    """Typed access to the JSON of one frame or reply. Every method raises FrameError when the fact is not there as promised."""

    venue: str
    channel: str
    market: str = ""

    def refused(self, reason: str) -> FrameError:
        where = (self.venue, self.channel, shown(self.market))  # the market's name may come from the frame
        return FrameError(" ".join(part for part in where if part) + f": {reason}")

    def load(self, data: bytes | str) -> object:
        """JSON whose decimals are quoted. A bare decimal becomes a float, which `decimal` refuses: see `load_exact`."""
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            raise self.refused(f"not JSON: {shown(data)!r}") from None

    def load_exact(self, data: bytes) -> object:
        """JSON with bare decimals, read as Decimal. orjson looks first: it bounds the depth and refuses what is not JSON."""
        self.load(data)
        try:
            return json.loads(data, parse_float=Decimal)
        except ValueError:  # an integer of thousands of digits
            raise self.refused(f"not JSON: {shown(data)!r}") from None

    def record(self, value: object, what: str = "the frame") -> Record:
        if not isinstance(value, dict):
            raise self.refused(f"{shown(what)} is not an object")  # dYdX keys its listing by symbol
        return value

    def child(self, record: Mapping[str, object], key: str) -> Record:
        return self.record(self._get(record, key), key)

    def records(self, value: object, what: str = "the frame") -> list[Record]:
        """An array of objects."""
        if not isinstance(value, list):
            raise self.refused(f"{what} is not an array")
        return [self.record(item, f"an element of {what}") for item in value]

    def rows(self, record: Mapping[str, object], key: str) -> list[Record]:
        return self.records(self._get(record, key), key)

    def text(self, record: Mapping[str, object], key: str) -> str:
        value = self._get(record, key)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, value, "a text")
        return value

    def decimal(self, record: Mapping[str, object], key: str) -> Decimal:
        """An exact decimal: a quoted one, or a bare integer, or a bare decimal of `load_exact`."""
        value = self._get(record, key)
        found = _DECIMAL.fullmatch(value) if isinstance(value, str) else None
        if found is not None:
            number = Decimal(found[0])
            if found["exponent"] is None or _bounded(number):
                return number
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_MAX_EXPONENT:
            return Decimal(value)
        if isinstance(value, Decimal) and _bounded(value):
            return value
        raise self._wrong(key, value, "a decimal")

    def positive(self, record: Mapping[str, object], key: str) -> Decimal:
        value = self.decimal(record, key)
        if value <= 0:
            raise self._wrong(key, record[key], "positive")
        return value

    def positive_if_given(self, record: Mapping[str, object], key: str) -> Decimal | None:
        """None where it is left out, empty or 0: of a market that does not trade yet, venues write prices as "0"."""
        if not given(record, key) or self.decimal(record, key) == 0:
            return None
        return self.positive(record, key)

    def integer(self, record: Mapping[str, object], key: str) -> int:
        """A whole number, bare or quoted."""
        value = self._get(record, key)
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise self._wrong(key, value, "a whole number")

    def time(self, record: Mapping[str, object], key: str, unit: int = MILLISECOND) -> int:
        """A time in ns, from one that counts in `unit`s."""
        value = self.integer(record, key) * unit
        if not 0 < value < _MAX_NS:
            raise self._wrong(key, record[key], "a time")
        return value

    def time_if_given(self, record: Mapping[str, object], key: str, unit: int = MILLISECOND) -> int | None:
        """As `time`; None where it is left out, empty or 0."""
        if not given(record, key) or self.integer(record, key) == 0:
            return None
        return self.time(record, key, unit)

    def moment(self, record: Mapping[str, object], key: str) -> int:
        """A time in ns, from RFC 3339 text: "2026-04-07T14:30:00.123456Z"."""
        found = _MOMENT.fullmatch(self.text(record, key))
        try:
            if found is not None:
                whole, fraction, zone = found.groups()
                seconds = int(datetime.fromisoformat(whole + zone).astimezone(UTC).timestamp())
                if 0 < seconds < _MAX_NS // 10**9:
                    return seconds * 10**9 + int((fraction or "").ljust(9, "0"))
        except (ValueError, OverflowError):
            pass
        raise self._wrong(key, record[key], "a time")

    def choice(self, record: Mapping[str, object], key: str, table: Mapping[str, T]) -> T:
        """What a word of the venue's means."""
        value = self.text(record, key)
        if value not in table:
            raise self._wrong(key, value, "one of " + ", ".join(table))
        return table[value]

    def expect(self, record: Mapping[str, object], key: str, wanted: str) -> None:
        """Refuses a frame that says it is about something else: its market, its event."""
        value = self._get(record, key)
        if value != wanted:
            raise self._wrong(key, value, shown(wanted))

    def _get(self, record: Mapping[str, object], key: str) -> object:
        try:
            return record[key]
        except KeyError:
            raise self.refused(f"{key} is missing") from None

    def _wrong(self, key: str, value: object, wanted: str) -> FrameError:
        return self.refused(f"{key} is not {wanted}: {shown(str(value))!r}")


def _bounded(value: Decimal) -> bool:
    _, digits, exponent = value.as_tuple()
    return isinstance(exponent, int) and abs(exponent) <= _MAX_EXPONENT and len(digits) <= _MAX_EXPONENT


def given(record: Mapping[str, object], key: str) -> bool:
    """Whether a field that may be left out says something: venues write an absent one as "", null, or not at all."""
    value = record.get(key)
    return value is not None and value != ""


def request_number(value: object) -> int | None:
    """Our request id as a venue echoes it, a number or its text; None: not one of ours."""
    if isinstance(value, str) and _REQUEST.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def dumps(value: object) -> str:
    return orjson.dumps(value).decode()
