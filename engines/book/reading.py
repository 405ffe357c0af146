"""What a book says, as values: bands with their basis, and the cost to trade."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import nan

import numpy as np

from engines.book.bands import BASES, SIDES, BandFigure, BandReport, BandSet, Cost, Reference
from engines.book.ladder import export_levels, verified_edge
from engines.book.memory import BEST, COUNT, Block
from engines.book.sums import (
    BASIS,
    COLUMNS,
    DEEP_FRESH,
    EDGE,
    FLOOR,
    FLOOR_ALLOWED,
    LIVE,
    NONE,
    RAW_LOTS,
    RAW_OFFSET,
    REFERENCE_BEST,
    SNAPSHOT,
    VERIFIED,
    VWAP,
    cost,
    lots_over_tick,
    measure,
)
from engines.book.sums import LOTS_SUM as PUBLISHED_LOTS
from engines.book.sums import OFFSET_SUM as PUBLISHED_OFFSET
from engines.book.worth import RawSums, Worth
from engines.wire.layout import ASK, BID

Rows = list[tuple[int, int]]


def rows(block: Block, side: int) -> Rows:
    """Every level of a side as (tick, lots), lowest tick first."""
    table = np.zeros((int(block[COUNT + side]), 2), np.int64)
    export_levels(block, side, table)
    return [(tick, lots) for tick, lots in table.tolist()]


def _beyond(side: int, tick: int, edge: int) -> bool:
    return tick < edge if side == BID else tick > edge


def exact_sums(block: Block, side: int, near: int | None, edge: int) -> tuple[int, int]:
    """(lots, lots * tick) level by level in unbounded integers, beyond `near` (None: from the touch) up to `edge` included."""
    lots = lot_ticks = 0
    for tick, size in rows(block, side):
        if not _beyond(side, tick, edge) and (near is None or _beyond(side, tick, near)):
            lots += size
            lot_ticks += size * tick
    return lots, lot_ticks


def report(
    block: Block,
    deep: Block | None,
    bands: BandSet,
    worth: Worth,
    *,
    floor_allowed: bool,
    reference: Reference,
    at: int,
) -> BandReport:
    """Both sides' bands. Both sides must hold levels. `deep`: the book of a deep snapshot that is still fresh."""
    out = np.empty((2, len(bands), COLUMNS), np.int64)
    flags = (REFERENCE_BEST if reference == "best" else 0) | (FLOOR_ALLOWED if floor_allowed else 0)
    if deep is not None:
        flags |= DEEP_FRESH
    origin = measure(block, block if deep is None else deep, bands.ratios, out, flags)
    sides = []
    for side, table in enumerate(out.tolist()):
        best = int(block[BEST + side])
        known = verified_edge(block, side)
        figures = []
        for name, row in zip(bands.names, table, strict=True):
            edge, basis = row[EDGE], row[BASIS]
            if row[RAW_LOTS] >= 0:
                raw = RawSums(row[RAW_LOTS], row[RAW_OFFSET] + origin * row[RAW_LOTS])
            else:
                raw = RawSums(*exact_sums(block, side, None, edge))
            published: RawSums | None = None
            if basis in (LIVE, FLOOR):
                published = raw
            elif basis == SNAPSHOT:
                assert deep is not None
                if row[PUBLISHED_LOTS] >= 0:
                    lots = row[PUBLISHED_LOTS]
                    published = RawSums(lots, row[PUBLISHED_OFFSET] + origin * lots)
                else:
                    near, far = exact_sums(block, side, None, known), exact_sums(deep, side, known, edge)
                    published = RawSums(near[0] + far[0], near[1] + far[1])
            if worth.inverse:
                raw = RawSums(raw.lots, raw.lot_ticks, lots_over_tick(block, side, best, edge))
                if basis in (LIVE, FLOOR):
                    published = raw
                elif published is not None and deep is not None:
                    step = -1 if side == BID else 1
                    per_tick = lots_over_tick(block, side, best, known) + lots_over_tick(deep, side, known + step, edge)
                    published = RawSums(published.lots, published.lot_ticks, per_tick)
            figures.append(
                BandFigure(
                    SIDES[side],
                    name,
                    edge,
                    raw,
                    published,
                    BASES[basis] if basis != NONE else None,
                    row[VERIFIED] == 0,
                )
            )
        sides.append(tuple(figures))
    half_ticks = int(block[BEST] + block[BEST + 1])
    return BandReport(at, half_ticks, reference, sides[BID], sides[ASK])


def no_costs(notionals: Sequence[float]) -> list[Cost]:
    return [Cost(notional, nan, nan, nan, nan, nan) for notional in notionals]


def costs(block: Block, side: int, notionals: Sequence[float], worth: Worth, reference: Reference) -> list[Cost]:
    """Cost to trade each notional (quote units) against `side` (BID: selling). Both sides must hold levels.

    Source: models.md 1.3. NaN where the verified levels do not hold the notional.
    """
    order = sorted(range(len(notionals)), key=lambda index: notionals[index])
    targets = np.array([worth.target(notionals[index]) for index in order], np.float64)
    out = np.empty((len(notionals), 3), np.float64)
    cost(block, side, targets, out, int(worth.inverse))
    ticks = float(block[BEST + side]) if reference == "best" else float(block[BEST] + block[BEST + 1]) / 2
    sign = 1.0 if side == ASK else -1.0
    made = no_costs(notionals)
    for index, (vwap, worst, filled) in zip(order, out.tolist(), strict=True):
        if worth.inverse:
            base = filled / vwap / worth.scale.price.unit_lossy * worth.lot_unit * worth.unit_multiplier
        else:
            base = filled * worth.lot_unit * worth.unit_multiplier
        made[index] = Cost(
            notionals[index],
            worth.price(vwap),
            worth.price(worst),
            sign * (vwap - ticks) / ticks,
            sign * (worst - ticks) / ticks,
            base,
        )
    return made


def slippages(block: Block, side: int, notionals: Sequence[float], worth: Worth) -> list[float]:
    """`costs` from the mid, of each notional (ascending) only the slippage; NaN where the verified levels do not hold it."""
    if any(former > latter for former, latter in pairwise(notionals)):
        return [each.slippage for each in costs(block, side, notionals, worth, "mid")]
    unit = worth.lot_unit if worth.inverse else worth.lot_tick_unit
    targets = np.array(notionals, np.float64) / unit
    out = np.empty((len(notionals), 3), np.float64)
    cost(block, side, targets, out, 1 if worth.inverse else 0)
    ticks = float(block[BEST] + block[BEST + 1]) / 2
    return [(vwap - ticks) / ticks if side == ASK else (ticks - vwap) / ticks for vwap in out[:, VWAP].tolist()]
