"""Margin tiers out of a file of the user's: TOML or JSON of our own form, or a saved reply of Binance's leverageBracket.

The form is in docs/liquidation-price.md. Every refusal names the file, the key in it, what is wrong and the nearest known name.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from re import fullmatch
from typing import Any, Final, Literal, NoReturn, get_args

from monitor.config.refusal import dotted, refuse
from monitor.errors import FrameError
from monitor.facts import MarginTier, MarginTiers
from monitor.venues.base import Venue
from monitor.venues.binance_tiers import listed_brackets
from monitor.venues.reading import Reader
from monitor.venues.registry import VENUES

MAX_BYTES: Final = 32 << 20  # every market of a venue as it lists them is 2 MB
Unit = Literal["quote", "base", "contracts"]
TOP: Final = ("as_of", "venues")
MARKET: Final = ("unit", "whole", "tiers")
TIER: Final = ("floor", "cap", "maintenance_ratio", "max_leverage", "deduction")
SLACK: Final = Decimal("0.001")  # of the margin at a tier's floor: venues round their deductions
LARGEST: Final = Decimal(10) ** 30
FOLLOWS: Final = "the tier begins where the one before ends, at"
Tiers = Mapping[tuple[str, str], MarginTiers]


def read_tiers_file(path: Path) -> Tiers:
    """Tiers by venue and symbol.

    Raises:
        SettingsError: the file cannot be read, or something in it is not what its key promises.
    """
    source = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        refuse(source, "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}")
    if len(raw) > MAX_BYTES:
        refuse(source, f"larger than {MAX_BYTES >> 20} MiB: not a file of margin tiers")
    data = _parsed(source, path.suffix.lower(), raw)
    if isinstance(data, list) or (isinstance(data, dict) and "brackets" in data):
        found = {(tiers.venue, tiers.symbol): tiers.value for tiers in _Reply(source, path.name, data).markets()}
        return found or refuse(source, "no market is in it")
    return _Form(source, path.name).read(data)


def _parsed(source: str, suffix: str, raw: bytes) -> Any:
    if suffix not in (".toml", ".json"):
        refuse(source, "a name that ends in .toml or .json is needed")
    try:
        text = raw.decode("utf-8-sig")
        if suffix == ".toml":
            return tomllib.loads(text, parse_float=Decimal)
        return json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_once)
    except UnicodeDecodeError:
        refuse(source, "not a text file in UTF-8")
    except (ValueError, InvalidOperation, RecursionError) as error:
        refuse(source, f"not valid {suffix[1:].upper()}: {error}")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(
            "a key stands twice in one object: " + next(k for k, _ in pairs if [x for x, _ in pairs].count(k) > 1)
        )
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean ...?", or what there is."""
    names = {each.lower(): each for each in sorted(known)}
    close = get_close_matches(name.lower()[:60], names, n=1, cutoff=0.5)
    return f"; did you mean {names[close[0]]}?" if close else f"; known here: {', '.join(names.values())}"


class _Listed:
    """One market of a reply."""

    __slots__ = ("symbol", "value", "venue")

    def __init__(self, venue: str, value: MarginTiers) -> None:
        self.venue, self.symbol, self.value = venue, value.symbol, value


class _Reply:
    """What Binance answers to leverageBracket: coin-margined contracts count `qtyCap`, the others `notionalCap`."""

    def __init__(self, source: str, name: str, data: Any) -> None:
        self._source, self._name = source, name
        self._rows = data if isinstance(data, list) else [data]

    def markets(self) -> Iterator[_Listed]:
        listed: set[tuple[str, str]] = set()
        for number, row in enumerate(self._rows):
            where = f"[{number}]"
            brackets = row.get("brackets") if isinstance(row, dict) else None
            if not isinstance(brackets, list) or not brackets or not isinstance(brackets[0], dict):
                refuse(self._source, f"{where}: no market of a leverageBracket reply: symbol and brackets are needed")
            venue, unit = ("binance_coinm", "base") if "qtyCap" in brackets[0] else ("binance_usdm", "quote")
            try:
                tiers = listed_brackets(Reader(venue, "tiers"), row, unit)  # type: ignore[arg-type]
            except FrameError as error:
                refuse(self._source, f"{where}: {error}")
            for tier, due in zip(tiers.tiers, continuous(tiers.tiers), strict=True):
                if (
                    tier.deduction is not None
                    and abs(tier.deduction - due) > SLACK * tier.floor * tier.maintenance_ratio
                ):
                    refuse(
                        self._source,
                        f"{where}: cum of {tier.deduction:f} leaves a step in the margin; {due.normalize():f} is due",
                    )
            if (venue, tiers.symbol) in listed:
                refuse(self._source, f"{where}: {tiers.symbol} stands twice")
            listed.add((venue, tiers.symbol))
            yield _Listed(venue, _named(tiers, self._name, None))


def continuous(tiers: Sequence[MarginTier]) -> list[Decimal]:
    """The deductions that make the margin continuous over the tiers."""
    due = [Decimal(0)]
    for low, high in pairwise(tiers):
        due.append(due[-1] + high.floor * (high.maintenance_ratio - low.maintenance_ratio))
    return due


def _named(tiers: MarginTiers, name: str, as_of: date | None) -> MarginTiers:
    return MarginTiers(tiers.symbol, tiers.tiers, tiers.unit, tiers.whole, 0, documented=as_of, file=name)


class _Form:
    """Our own form."""

    def __init__(self, source: str, name: str) -> None:
        self._source, self._name = source, name

    def read(self, data: Any) -> Tiers:
        top = self._table((), data, TOP)
        as_of = self._date(top.get("as_of"))
        found: dict[tuple[str, str], MarginTiers] = {}
        for name, markets in self._table(("venues",), top.get("venues")).items():
            venue = VENUES.get(name)
            path = ("venues", name)
            if venue is None or venue.contract_types == ("spot",):
                futures = [each.name for each in VENUES.values() if each.contract_types != ("spot",)]
                what = "unknown venue" if venue is None else "nothing is liquidated on the spot venue"
                self._refuse(path, what + nearest(name, futures), joint=" is wrong: ")
            for symbol, market in self._table(path, markets).items():
                if not fullmatch(venue.symbol_pattern, symbol):
                    self._refuse(
                        (*path, symbol), f"not a symbol of {venue.title} (they look like {venue.symbol_example})"
                    )
                found[name, symbol] = _named(self._market((*path, symbol), venue, market), self._name, as_of)
        if not found:
            self._refuse(("venues",), "no market is in it")
        return found

    def _market(self, path: tuple[str, ...], venue: Venue, data: Any) -> MarginTiers:
        market = self._table(path, data, MARKET)
        kinds = set(venue.contract_types) - {"spot"}
        usual = None if len(kinds) > 1 else "quote" if kinds == {"linear"} else "base"
        unit: Any = market.get("unit", usual)
        if unit not in get_args(Unit):
            said = "is missing" if unit is None else f"not {unit!r}"
            self._refuse((*path, "unit"), f"one of {', '.join(get_args(Unit))} is needed, {said}")
        whole = market.get("whole", False)
        if not isinstance(whole, bool):
            self._refuse((*path, "whole"), f"true or false is needed, not {whole!r}")
        rows = market.get("tiers")
        if not isinstance(rows, list) or not rows:
            self._refuse((*path, "tiers"), "a list of tiers is needed, lowest first")
        tiers: list[MarginTier] = []
        for number, row in enumerate(rows):
            place = (*path, f"tiers[{number}]")
            tiers.append(self._tier(place, row, tiers[-1] if tiers else None, last=number == len(rows) - 1))
            self._check_deduction(place, tiers, whole)
        return MarginTiers(path[-1], tuple(tiers), unit, whole, 0)

    def _tier(self, path: tuple[str, ...], data: Any, before: MarginTier | None, *, last: bool) -> MarginTier:
        row = self._table(path, data, TIER)
        starts = Decimal(0) if before is None or before.cap is None else before.cap
        floor = self._number(path, row, "floor")
        if floor is not None and floor != starts:
            self._refuse((*path, "floor"), f"{FOLLOWS} {starts:f}, not at {floor:f}; it may be left out")
        cap = self._number(path, row, "cap")
        if cap is None and not last:
            self._refuse((*path, "cap"), "only the last tier may be without an end")
        if cap is not None and cap <= starts:
            self._refuse((*path, "cap"), f"must be above {starts:f}, where the tier begins")
        ratio = self._number(path, row, "maintenance_ratio")
        if ratio is None:
            self._refuse((*path, "maintenance_ratio"), "is missing")
        if not 0 < ratio < 1:
            self._refuse(
                (*path, "maintenance_ratio"), f"a fraction above 0 and below 1 is needed (0.5% is 0.005), not {ratio:f}"
            )
        if before is not None and ratio < before.maintenance_ratio:
            self._refuse(
                (*path, "maintenance_ratio"), f"must not fall: the tier before has {before.maintenance_ratio:f}"
            )
        leverage = self._number(path, row, "max_leverage")
        if leverage is not None and leverage < 1:
            self._refuse((*path, "max_leverage"), f"at least 1 is needed, not {leverage:f}")
        return MarginTier(starts, cap, ratio, leverage, self._number(path, row, "deduction"))

    def _check_deduction(self, path: tuple[str, ...], tiers: Sequence[MarginTier], whole: bool) -> None:
        """A deduction that leaves a step in the margin is a slip, and would give wrong prices quietly."""
        tier = tiers[-1]
        if tier.deduction is None:
            return
        if whole:
            self._refuse(
                (*path, "deduction"), "where the whole position takes its tier's ratio there is none; leave it out"
            )
        due = continuous(tiers)[-1]
        if abs(tier.deduction - due) > SLACK * tier.floor * tier.maintenance_ratio:
            self._refuse(
                (*path, "deduction"),
                f"{due.normalize():f} makes the margin continuous, not {tier.deduction:f}; it may be left out",
            )

    # -- values
    def _table(self, path: tuple[str, ...], value: Any, known: Sequence[str] = ()) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._refuse(path, "is missing" if value is None else "a table is needed", joint=" ")
        for key in value:
            if known and key not in known:
                self._refuse((*path, key), f"unknown key{nearest(key, known)}")
        return value

    def _number(self, path: tuple[str, ...], row: Mapping[str, Any], key: str) -> Decimal | None:
        value = row.get(key)
        if value is None:
            return None
        try:
            number = Decimal(value) if isinstance(value, (int, str, Decimal)) and not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite() or not 0 <= number < LARGEST:
            self._refuse((*path, key), f"a number that is not negative is needed, not {str(value)[:40]!r}")
        return number

    def _date(self, value: Any) -> date | None:
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            self._refuse(("as_of",), f"a date such as 2026-04-01 is needed, not {str(value)[:40]!r}")

    def _refuse(self, path: Sequence[str], what: str, joint: str = ": ") -> NoReturn:
        # A place in a list is no part of a key.
        name = ".".join(part if part.startswith("tiers[") else dotted((part,)) for part in path)
        refuse(self._source, f"{name}{joint}{what}" if name else f"the file{joint}{what}")
