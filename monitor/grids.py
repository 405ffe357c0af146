"""Grids of prices and sizes: what they are worth, and the next finer one when frames show that the listed one has changed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from engines.book.worth import Worth
from engines.wire.scale import Grid, Scale
from monitor.facts import Instrument

# What a venue may write as a price or size; Decimal itself would take more, and is exact up to 28 digits.
_DECIMAL: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?")
_LONGEST: Final = 28


def worth_of(instrument: Instrument, scale: Scale) -> Worth:
    """The units of an instrument on a grid."""
    return Worth(
        scale=scale,
        inverse=instrument.contract_type == "inverse",
        contract_size=instrument.contract_size,
        unit_multiplier=instrument.unit_multiplier,
    )


def finer_scale(scale: Scale, levels: Sequence[tuple[str, str]]) -> Scale | None:
    """The coarsest scale that holds `scale` and every (price, size); None where no grid can, or one of them is no decimal."""
    if not all(len(text) <= _LONGEST and _DECIMAL.fullmatch(text) for level in levels for text in level):
        return None
    try:
        return Scale(
            price=_finer(scale.price, [level[0] for level in levels]),
            size=_finer(scale.size, [level[1] for level in levels]),
        )
    except ValueError:  # more digits than a grid has
        return None


def _finer(grid: Grid, texts: Sequence[str]) -> Grid:
    """The coarsest grid that holds `grid` and every value. Raises ValueError."""
    values = [Decimal(text) for text in texts]
    decimals = max(grid.decimals, *(-int(value.normalize().as_tuple().exponent) for value in values), 0)
    units = int(grid.step.scaleb(decimals))
    for value in values:
        units = math.gcd(units, int(value.scaleb(decimals)))
    return Grid.from_step(Decimal(units).scaleb(-decimals))
