"""Margin tiers of a market as the arrays that `engines.liquidation` works on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engines.liquidation import brackets as engine
from monitor.facts import Instrument, MarginTier, MarginTiers
from monitor.tiers import assumed_tiers, tiers_source

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Brackets:
    """Margin brackets of one market, lowest first; arrays float64[n], for reading only.

    measure: what floors, caps and deductions are counted in. value: the position's worth at the price, in its margin's currency:
        quote currency (linear) or coins (inverse). size: what does not move with the price: base coins (linear) or US dollars of
        contracts (inverse); see `valued_at` and `of_position`.
    caps: the end of each bracket, inf where the last has none. The kernels let the last one go on beyond its cap.
    deductions: zeros where `whole` (the whole position takes its bracket's rate), so the kernels need not ask.
    source: see `monitor.tiers.tiers_source`.
    """

    floors: Floats
    caps: Floats
    rates: Floats
    deductions: Floats
    whole: bool
    source: str
    measure: Literal["value", "size"] = "value"
    inverse: bool = False

    def valued_at(self, price: float) -> Brackets:
        """The same in the position's worth at one price: exact there, and near it elsewhere. Unchanged where they are that already."""
        if self.measure == "value" or not price > 0.0:
            return self
        factor = 1.0 / price if self.inverse else price
        floors, caps, deductions = (each * factor for each in (self.floors, self.caps, self.deductions))
        return replace(self, floors=floors, caps=caps, deductions=deductions, measure="value")

    def of_position(self, size: float) -> Brackets:
        """What holds for one position of this size, whatever the price does: one bracket. Unchanged where the price decides."""
        k = engine.bracket_of(size, self.floors)
        if self.measure == "value" or k < 0:
            return self
        rate = self.rates[k] if size == 0.0 else self.rates[k] - self.deductions[k] / size
        one, zero = np.array([rate]), np.zeros(1)
        return replace(self, floors=zero, caps=np.array([math.inf]), rates=one, deductions=zero, measure="value")


def brackets_of(tiers: MarginTiers, instrument: Instrument) -> Brackets:
    """The arrays. Tiers that do not rise from 0, or of which a ratio is none, are not used: the assumed ones stand in, and `source` says so."""
    reason = _unusable(tiers.tiers)
    source = tiers_source(tiers)
    if reason:
        tiers, source = assumed_tiers(instrument), f"assumed ({source}: {reason})"
    inverse = instrument.contract_type == "inverse"
    by_value = tiers.unit == ("base" if inverse else "quote")
    unit = float(instrument.contract_size) if tiers.unit == "contracts" else 1.0
    floors = np.array([float(tier.floor) for tier in tiers.tiers]) * unit
    caps = np.array([math.inf if tier.cap is None else float(tier.cap) for tier in tiers.tiers]) * unit
    rates = np.array([float(tier.maintenance_ratio) for tier in tiers.tiers])
    if tiers.whole:
        deductions = np.zeros(len(rates))
    elif by_value:
        deductions = _deductions(tiers.tiers, floors, rates)
    else:
        deductions = engine.deductions_from(floors, rates)  # what a venue gives is money, at some price
    return Brackets(
        floors=floors,
        caps=caps,
        rates=rates,
        deductions=deductions,
        whole=tiers.whole,
        source=source,
        measure="value" if by_value else "size",
        inverse=inverse,
    )


def first_rate(brackets: Brackets) -> float:
    """The maintenance ratio of the smallest positions."""
    return float(brackets.rates[0])


def _deductions(tiers: Sequence[MarginTier], floors: Floats, rates: Floats) -> Floats:
    """As given; one that is missing follows from the one before."""
    found = engine.deductions_from(floors, rates)
    for k, tier in enumerate(tiers):
        if tier.deduction is not None:
            found[k] = float(tier.deduction)
        elif k > 0:
            found[k] = found[k - 1] + floors[k] * (rates[k] - rates[k - 1])
    return found


def _unusable(tiers: Sequence[MarginTier]) -> str:
    if not tiers:
        return "no tiers"
    if tiers[0].floor != 0 or any(low.floor >= high.floor for low, high in pairwise(tiers)):
        return "its tiers do not rise from 0"
    if not all(0 < tier.maintenance_ratio < 1 for tier in tiers):
        return "a ratio is not between 0 and 1"
    return ""
