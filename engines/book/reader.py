"""The reading side of a live book: nothing here changes it."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from engines.book.absorption import UNKNOWN, absorption
from engines.book.around import report_around
from engines.book.bands import SIDES, BandReport, BandSet, Basis, Cost, Reference, Side, Top
from engines.book.depth import FIGURES, KIND, UNREADABLE, Depth, depth_figures, readable
from engines.book.ladder import export_levels, lots_at, verified_edge
from engines.book.memory import (
    BEST,
    COUNT,
    LAST_AT,
    VERIFIED_HIGH,
    VERIFIED_LOW,
    Block,
)
from engines.book.reading import costs, no_costs, report, slippages
from engines.book.reasons import KERNEL_COUNTERS, OWN_COUNTERS, RESYNC_REASONS, Reason
from engines.book.sequence import EMPTY, EPOCH, LAST, LIVE, SEEDED, STATE_SIZE, STATUS
from engines.book.sums import DEEP_FRESH, FLOOR_ALLOWED, SNAPSHOT
from engines.book.sums import LIVE as LIVE_BASIS
from engines.book.worth import Worth
from engines.wire.layout import ASK, BID

Floats = npt.NDArray[np.float64]

__all__ = ["DEEP_FRESH_FOR", "RESYNC_REASONS", "SECOND", "BookReader", "Reason"]

SECOND: Final = 1_000_000_000
DEEP_FRESH_FOR: Final = 60 * SECOND  # contract: a deep snapshot counts for 60 s
# When the verified reach has shrunk to this share of what the snapshot gave, another snapshot is worth its weight.
REACH_WORN: Final = 0.5


class BookReader:
    """What can be asked of a book. `LiveBook` is the way to make one."""

    _block: Block

    def __init__(self, changes_at_any_price: bool, floor_settle_ns: int, snapshots_only: bool = False) -> None:
        self.floor_settle_ns = floor_settle_ns
        self._changes_at_any_price = changes_at_any_price
        self._inside: Basis = "snapshot" if snapshots_only else "live"  # basis of what lies inside the verified reach
        self._lost_reason: Reason = "no_snapshot"
        self._synced_at: int | None = None  # begin of the unbroken, or briefly broken, sync
        self._seed_reach = 0.0
        self._deep: Block | None = None
        self._deep_at = 0
        self._deep_until = 0
        self._coarse: Block | None = None  # where the layers are joined, kept from second to second
        self._layered = False  # `_deep` is of coarse layers, and not a snapshot over REST
        self._counts = dict.fromkeys(OWN_COUNTERS, 0)
        self.resyncs: dict[str, int] = {}  # losses of sync by reason
        self.worth: Worth

    # -- state

    @property
    def reason(self) -> Reason:
        """Why the book cannot be read; "" when it can."""
        block = self._block
        if block[STATUS] != LIVE:
            return "waiting_for_stream" if block[STATUS] == SEEDED else self._lost_reason
        bid, ask = block[BEST], block[BEST + 1]
        if bid < 0 or ask < 0:
            return "one_sided"
        if bid < verified_edge(block, BID) or ask > verified_edge(block, ASK):
            return "moved_beyond_snapshot"
        return ""

    @property
    def block(self) -> Block:
        """The ladders themselves, for kernels that only read."""
        return self._block

    @property
    def readable(self) -> bool:
        """In sync, both sides there, not crossed, best prices inside the verified reach."""
        return readable(self._block) == 1

    @property
    def epoch(self) -> int:
        """Goes up with every loss of sync: at most one recovery per epoch."""
        return int(self._block[EPOCH])

    @property
    def in_sync(self) -> bool:
        return bool(self._block[STATUS] == LIVE)

    @property
    def unseeded(self) -> bool:
        """No seed: a REST snapshot or a new subscription is wanted, or on its way."""
        return bool(self._block[STATUS] == EMPTY)

    @property
    def last_id(self) -> int:
        return int(self._block[LAST])

    @property
    def last_update(self) -> int | None:
        """Receive time of the last change applied, ns."""
        return int(self._block[LAST_AT]) or None

    @property
    def level_counts(self) -> tuple[int, int]:
        return int(self._block[COUNT]), int(self._block[COUNT + 1])

    @property
    def nbytes(self) -> int:
        """Memory of the ladders."""
        return self._block.nbytes + (0 if self._deep is None else self._deep.nbytes)

    @property
    def counters(self) -> dict[str, int]:
        """Totals since construction."""
        return {name: int(self._block[slot]) for name, slot in KERNEL_COUNTERS.items()} | self._counts

    # -- figures

    def top(self) -> Top | None:
        """Best levels; None when the book cannot be read."""
        if not self.readable:
            return None
        block = self._block
        bid, ask = int(block[BEST]), int(block[BEST + 1])
        return Top(bid, lots_at(block, BID, bid), ask, lots_at(block, ASK, ask))

    @property
    def half_ticks(self) -> int | None:
        """The mid times two, in ticks."""
        return int(self._block[BEST] + self._block[BEST + 1]) if self.readable else None

    @property
    def mid(self) -> float | None:
        """Mid price as the venue writes prices; None when the book cannot be read."""
        half_ticks = self.half_ticks
        return None if half_ticks is None else self.worth.price(half_ticks / 2)

    def reach(self, side: Side) -> float | None:
        """How far from the mid the side is verified, as a ratio; 1.0 on the bid side: down to zero."""
        half_ticks = self.half_ticks
        if not half_ticks:
            return None
        edge = int(verified_edge(self._block, SIDES.index(side)))
        return abs(half_ticks - 2 * edge) / half_ticks

    @property
    def wants_snapshot(self) -> bool:
        """In sync, but the price has moved so far that the verified reach is worn: worth another REST snapshot."""
        if not self.in_sync or self._seed_reach == 0.0:
            return False
        reaches = (self.reach("bid"), self.reach("ask"))
        return any(reach is None or reach < REACH_WORN * self._seed_reach for reach in reaches)

    def floor_allowed(self, at: int) -> bool:
        """Levels learned from changes may be published: long enough in sync, on a stream that reports any price."""
        return (
            self._changes_at_any_price and self._synced_at is not None and at - self._synced_at >= self.floor_settle_ns
        )

    def _fresh_deep(self, at: int) -> Block | None:
        """The block of the deep snapshot or of the coarse layers, while it counts."""
        return self._deep if self._deep_at <= at <= self._deep_until else None

    def deep_reach(self, side: Side, at: int) -> float | None:
        """How far from the mid the `snapshot` figures go, as a ratio; None without them. May be less than `reach`."""
        half_ticks, deep = self.half_ticks, self._fresh_deep(at)
        if not half_ticks or deep is None:
            return None
        edge = int(verified_edge(deep, SIDES.index(side)))
        return max(half_ticks - 2 * edge if side == "bid" else 2 * edge - half_ticks, 0) / half_ticks

    def _based(self, report: BandReport) -> BandReport:
        """Nothing of a snapshot-only stream is `live`."""
        if self._inside == "live":
            return report
        bid, ask = (
            tuple(figure._replace(basis=self._inside) if figure.basis == "live" else figure for figure in figures)
            for figures in (report.bid, report.ask)
        )
        return report._replace(bid=bid, ask=ask)

    def bands(self, bands: BandSet, at: int, reference: Reference = "mid") -> BandReport | None:
        """Depth within each band; None when the book cannot be read."""
        if not self.readable:
            return None
        return self._based(
            report(
                self._block,
                self._fresh_deep(at),
                bands,
                self.worth,
                floor_allowed=self.floor_allowed(at),
                reference=reference,
                at=at,
            )
        )

    def bands_around(self, bands: BandSet, ticks: float, at: int) -> BandReport | None:
        """Depth within each band of a price from outside, in ticks (models.md 1.2 ref_price); None when the book cannot be read."""
        if not self.readable or not ticks > 0:
            return None
        return self._based(
            report_around(
                self._block,
                self._fresh_deep(at),
                bands,
                self.worth,
                half_ticks=round(2 * ticks),
                floor_allowed=self.floor_allowed(at),
                at=at,
            )
        )

    def depth(self, bands: BandSet, at: int, fx: float, around: float | None = None) -> Depth | None:
        """What may be published of every band, in coins and US dollars; None when the book cannot be read.

        Args:
            fx: USD per unit of the quote currency.
            around: a price from outside, in ticks, in place of the book's own mid (models.md 1.2 ref_price).
        """
        half_ticks = 0 if around is None else round(2 * around)
        if half_ticks < 0 or (around is not None and half_ticks == 0):
            return None
        deep = self._fresh_deep(at)
        flags = FLOOR_ALLOWED if self.floor_allowed(at) else 0
        worth = self.worth
        figures = np.empty((2 * len(bands.names), FIGURES))
        done = depth_figures(
            self._block,
            self._block if deep is None else deep,
            bands.ratios,
            bands.sums,
            figures,
            flags if deep is None else flags | DEEP_FRESH,
            half_ticks,
            worth.lot_unit,
            worth.lot_tick_unit,
            worth.tick_unit,
            float(worth.unit_multiplier),
            1 if worth.inverse else 0,
            fx,
        )
        if done == UNREADABLE:
            return None
        if self._inside == "snapshot":
            kinds = figures[:, KIND]
            kinds[kinds == LIVE_BASIS] = SNAPSHOT
        return Depth(bands, figures)

    def absorption(self, side: Side, drops: Floats, at: int, known: Floats, whole: Floats) -> float | None:
        """Coins resting within each drop from the mid: what is known of them, and with what lies beyond taken as the last density.

        Args:
            drops: float64[n], ascending from 0. known, whole: float64[n], written; 0 when the book cannot be read.

        Returns:
            The drop up to which every level is known; None when the book cannot be read.
        """
        deep = self._fresh_deep(at)
        flags = (FLOOR_ALLOWED if self.floor_allowed(at) else 0) | (0 if deep is None else DEEP_FRESH)
        worth = self.worth
        unit = worth.lot_unit * worth.unit_multiplier
        reach = absorption(
            self._block,
            self._block if deep is None else deep,
            SIDES.index(side),
            flags,
            drops,
            unit / worth.tick_unit if worth.inverse else unit,
            1 if worth.inverse else 0,
            known,
            whole,
        )
        return None if reach == UNKNOWN else float(reach)

    def cost(
        self, action: Literal["sell", "buy"], notionals: Sequence[float], reference: Reference = "mid"
    ) -> list[Cost]:
        """Cost to trade each notional (quote units); NaN where the verified levels cannot fill it."""
        if not self.readable:
            return no_costs(notionals)
        return costs(self._block, BID if action == "sell" else ASK, notionals, self.worth, reference)

    def slippage(self, action: Literal["sell", "buy"], notionals: Sequence[float]) -> list[float]:
        """`cost` from the mid, of each notional only its slippage ratio."""
        if not self.readable:
            return [nan] * len(notionals)
        return slippages(self._block, BID if action == "sell" else ASK, notionals, self.worth)

    # -- integers

    def levels_of(self, side: Side) -> npt.NDArray[np.int64]:
        """Every level held, lowest tick first, known or learned: int64[n, 2] of tick and lots."""
        index = SIDES.index(side)
        rows = np.zeros((int(self._block[COUNT + index]), 2), np.int64)
        export_levels(self._block, index, rows)
        return rows

    def digest_into(self, hasher: Any) -> None:
        """Feeds every level, the sequence state and the verified reach to a hashlib object, as little-endian int64."""
        block = self._block
        hasher.update(block[:STATE_SIZE].astype("<i8").tobytes())
        hasher.update(block[[COUNT, COUNT + 1, VERIFIED_LOW, VERIFIED_HIGH]].astype("<i8").tobytes())
        for side in SIDES:
            hasher.update(self.levels_of(side).astype("<i8").tobytes())
