"""Where one position is liquidated: a market's tiers and its venue's rule, put to the kernels of `engines.liquidation`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from engines.liquidation import bankruptcy, price, variants
from engines.liquidation.brackets import bracket_of, maintenance
from monitor.errors import SettingsError
from monitor.facts import Instrument, MarginTiers, Position
from monitor.margin import Brackets, brackets_of
from monitor.venues.base import Venue

SIDES: Final = {"long": 1, "short": -1}
OLDER: Final = "Bybit, older pages: the margin is valued at the entry price"
NO_PRICE: Final = "no price above 0 liquidates this position"


@dataclass(frozen=True, slots=True)
class Holding:
    """A position and what stands behind it.

    quantity: base coins; of inverse contracts US dollars. leverage: isolated, its margin is worth / leverage. wallet: isolated margin
    or the balance of a cross account, in the margin's currency. Exactly one of the two. other_*: of the account's other contracts.
    fee: taker fee in the requirement; None: the venue's. at_entry: by the venue's older pages.
    """

    position: Position
    quantity: float
    entry: float
    leverage: float | None = None
    wallet: float | None = None
    other_maintenance: float = 0.0
    other_pnl: float = 0.0
    mark: float | None = None
    fee: float | None = None
    at_entry: bool = False


@dataclass(frozen=True, slots=True)
class Bracket:
    """The bracket that decided. floor, cap: in `unit`; cap None: without an end."""

    number: int  # from 1
    of: int
    floor: float
    cap: float | None
    rate: float
    deduction: float
    unit: str


@dataclass(frozen=True, slots=True)
class Found:
    """price None: none, for `reason`. distance: from the mark, else from the entry, to the price; a fraction."""

    price: float | None
    reason: str
    bankruptcy_price: float | None
    distance: float | None
    distance_from: Literal["mark", "entry"]
    bracket: Bracket | None
    margin: float
    margin_unit: str
    fee: float
    rule: str
    whole: bool
    source: str
    notes: tuple[str, ...]


def contract_type(venue: Venue, symbol: str) -> Literal["linear", "inverse"]:
    """Linear or inverse, by the venue, and where it lists both by the symbol. Raises SettingsError: nothing is liquidated there."""
    if not set(venue.contract_types) - {"spot"}:
        raise SettingsError(f"--venue: {venue.name} is a spot market: nothing is liquidated there")
    if venue.inverse_symbols is not None:
        return "inverse" if re.fullmatch(venue.inverse_symbols, symbol) else "linear"
    return "inverse" if "inverse" in venue.contract_types else "linear"


def liquidation_price(venue: Venue, instrument: Instrument, tiers: MarginTiers, holding: Holding) -> Found:
    """The price with the bracket that is valid at it. Figures must be finite, quantity, entry, leverage and mark above 0.

    Raises:
        SettingsError: what is asked makes no sense with this venue.
    """
    side = SIDES[holding.position]
    inverse = instrument.contract_type == "inverse"
    quantity, entry = holding.quantity, holding.entry
    worth = quantity / entry if inverse else quantity * entry
    table = brackets_of(tiers, instrument)
    mine = table.of_position(quantity)
    margin = _margin(venue, holding, worth, side)
    balance = margin - holding.other_maintenance + holding.other_pnl
    fee = venue.liquidation.taker_fee if holding.fee is None else holding.fee
    mark = math.nan if holding.mark is None else holding.mark
    if holding.at_entry:
        fee = 0.0
        at, k = _at_entry(venue, holding, mine, side, worth, inverse)
    else:
        at, k = price.bracketed(
            inverse, side, quantity, entry, balance, mine.floors, mine.rates, mine.deductions, fee, mark
        )
    gone = bankruptcy.inverse if inverse else bankruptcy.linear
    bankrupt = gone(side, quantity, entry, margin + holding.other_pnl)
    near = entry if holding.mark is None else holding.mark
    coin = "coins" if inverse else instrument.quote or "quote currency"
    return Found(
        price=None if math.isnan(at) else float(at),
        reason=NO_PRICE if math.isnan(at) else "",
        bankruptcy_price=None if math.isnan(bankrupt) else float(bankrupt),
        distance=None if math.isnan(at) else float(at) / near - 1,
        distance_from="entry" if holding.mark is None else "mark",
        bracket=None if math.isnan(at) else _bracket(table, k, quantity, inverse, coin),
        margin=margin,
        margin_unit=coin,
        fee=fee,
        rule=OLDER if holding.at_entry else venue.liquidation.text,
        whole=table.whole,
        source=table.source,
        notes=tuple(_notes(tiers, table, holding, float(at), side, worth)),
    )


def _margin(venue: Venue, holding: Holding, worth: float, side: int) -> float:
    """WB of the formulas."""
    if holding.leverage is not None:
        return worth / holding.leverage
    assert holding.wallet is not None
    if not venue.liquidation.from_account:
        return holding.wallet
    if holding.mark is None:
        raise SettingsError(
            f"--wallet: {venue.name} counts the account's value at the mark price: --mark is needed with it"
        )
    return holding.wallet - side * holding.quantity * (holding.mark - holding.entry)


def _at_entry(
    venue: Venue, holding: Holding, mine: Brackets, side: int, worth: float, inverse: bool
) -> tuple[float, int]:
    if not venue.liquidation.older_at_entry:
        raise SettingsError(f"--valued-at: {venue.name} knows one way only, at the mark")
    if holding.leverage is None:
        raise SettingsError("--valued-at entry: these pages go by the leverage: --leverage is needed")
    k = bracket_of(worth, mine.floors)
    due = maintenance(worth, mine.floors, mine.rates, mine.deductions)
    if inverse:
        at = variants.bybit_inverse_at_entry(side, holding.quantity, holding.entry, holding.leverage, due / worth)
    else:
        at = variants.bybit_linear_at_entry(
            side, holding.quantity, holding.entry, holding.leverage, mine.rates[k], mine.deductions[k], 0.0
        )
    return at, k


def _bracket(table: Brackets, k: int, quantity: float, inverse: bool, coin: str) -> Bracket:
    if table.measure == "size":
        k = bracket_of(quantity, table.floors)
        coin = "US dollars of contracts" if inverse else "base coins"
    cap = float(table.caps[k])
    return Bracket(
        number=int(k) + 1,
        of=len(table.floors),
        floor=float(table.floors[k]),
        cap=None if math.isinf(cap) else cap,
        rate=float(table.rates[k]),
        deduction=float(table.deductions[k]),
        unit=coin,
    )


def _notes(tiers: MarginTiers, table: Brackets, holding: Holding, at: float, side: int, worth: float) -> list[str]:
    """What a person should know before relying on it."""
    found = []
    if table.source.startswith("assumed"):
        found.append("no tiers are known of this market: one ratio is assumed, and for small markets it is too low")
    elif table.source.startswith("documented"):
        found.append("these tiers are documentation of that day; the venue may have changed them since")
    size = holding.quantity if table.measure == "size" else worth
    if (
        holding.leverage is not None
        and (k := bracket_of(size, table.floors)) >= 0
        and not table.source.startswith("assumed")
    ):
        most = tiers.tiers[k].max_leverage
        if most is not None and holding.leverage > most:
            found.append(f"at this size the venue allows a leverage of {most.normalize():f} at most")
    if math.isnan(at):
        return found
    moved = at / holding.entry
    there = size if table.measure == "size" else worth * (1 / moved if table.inverse else moved)
    if there > table.caps[-1]:
        found.append("the position is beyond the end of the last bracket, whose ratio is taken to go on")
    if holding.mark is not None and side * (holding.mark - at) <= 0:
        found.append("at this mark price the position is due for liquidation already")
    return found
