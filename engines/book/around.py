"""Bands around a price from outside the book: the ref_price method of models.md 1.2, edges at I (1 - x) for every venue."""

from __future__ import annotations

from engines.book.bands import SIDES, BandFigure, BandReport, BandSet, Basis
from engines.book.ladder import verified_edge
from engines.book.memory import BEST, Block
from engines.book.reading import exact_sums
from engines.book.sums import band_edge, depth_to, lots_over_tick
from engines.book.worth import RawSums, Worth
from engines.wire.layout import BID


def _sums(block: Block, side: int, edge: int) -> tuple[int, int]:
    """(lots, lots * tick) from the touch to `edge`."""
    reference = int(block[BEST + side])
    lots, offset = depth_to(block, side, edge, reference)
    return (int(lots), int(offset) + reference * int(lots)) if lots >= 0 else exact_sums(block, side, None, edge)


def report_around(
    block: Block, deep: Block | None, bands: BandSet, worth: Worth, *, half_ticks: int, floor_allowed: bool, at: int
) -> BandReport:
    """Like `reading.report`, around `half_ticks` (twice the reference price in ticks). Both sides must hold levels."""
    sides = []
    for side in range(2):
        known = int(verified_edge(block, side))
        deep_known = None if deep is None else int(verified_edge(deep, side))
        figures = []
        for name, fraction in zip(bands.names, bands.fractions, strict=True):
            edge = int(band_edge(side, half_ticks, fraction.numerator, fraction.denominator))
            raw = _sums(block, side, edge)
            inside = edge >= known if side == BID else edge <= known
            basis: Basis | None = None
            published: tuple[int, int] | None = None
            if inside:
                basis, published = "live", raw
            elif (
                deep is not None
                and deep_known is not None
                and (edge >= deep_known if side == BID else edge <= deep_known)
            ):
                near, far, hidden = _sums(block, side, known), _sums(deep, side, edge), _sums(deep, side, known)
                basis, published = "snapshot", (near[0] + far[0] - hidden[0], near[1] + far[1] - hidden[1])
            elif floor_allowed:
                basis, published = "floor", raw
            per_tick = None
            if worth.inverse:
                best = int(block[BEST + side])
                if basis == "snapshot" and deep is not None:
                    step = -1 if side == BID else 1
                    per_tick = float(lots_over_tick(block, side, best, known))
                    per_tick += float(lots_over_tick(deep, side, known + step, edge))
                else:
                    per_tick = float(lots_over_tick(block, side, best, edge))
            figures.append(
                BandFigure(
                    side=SIDES[side],
                    band=name,
                    edge=edge,
                    raw=RawSums(*raw, per_tick if basis != "snapshot" else None),
                    published=None if published is None else RawSums(*published, per_tick),
                    basis=basis,
                    truncated=not inside,
                )
            )
        sides.append(tuple(figures))
    return BandReport(at, half_ticks, "mid", sides[0], sides[1])
