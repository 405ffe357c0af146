"""Who holds what on one simulated market: leveraged positions, their liquidation prices, and the accounts around them.

Every contract has two sides: at any moment longs equal shorts, and both equal the open interest.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

MAX_POSITIONS = 4_096  # a market holds about 2,000; beyond this a new position joins the holders without leverage
MAINTENANCE_RATIO = 0.005


class Account(StrEnum):
    """Holders without leverage: they are never liquidated."""

    MAKERS = "makers"
    ARBITRAGE = "arbitrage"
    LONGS = "longs"  # small holders without leverage, by side
    SHORTS = "shorts"
    SELLER = "seller"  # whoever works the scenario's large order
    FUND = "fund"  # the insurance fund: takes over what no bid above the bankruptcy price would take


@dataclass(slots=True)
class Liquidating:
    """A position the engine is closing. sign +1: a long."""

    sign: int
    lots: int
    entry: float
    bankruptcy: float
    since_ms: int


def liquidation_price(sign: int, entry: float, leverage: float, maintenance: float = MAINTENANCE_RATIO) -> float:
    """Isolated linear position, one bracket, fee outside (models.md 2.1 with WB = q EP / L, cum = 0)."""
    return entry * (1 - sign / leverage) / (1 - sign * maintenance)


def bankruptcy_price(sign: int, entry: float, leverage: float) -> float:
    """Where the margin is gone (models.md 2.5)."""
    return entry * (1 - sign / leverage)


class Ledger:
    """The positions of one market, in lots."""

    __slots__ = ("_bankruptcy", "_entry", "_free", "_liquidation", "_lots", "_rng", "accounts", "engine")

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._lots: npt.NDArray[np.int64] = np.zeros(MAX_POSITIONS, dtype=np.int64)  # signed
        self._entry = np.zeros(MAX_POSITIONS)
        self._bankruptcy = np.zeros(MAX_POSITIONS)
        self._liquidation = np.zeros(MAX_POSITIONS)
        self._free = list(range(MAX_POSITIONS - 1, -1, -1))
        self.accounts: dict[Account, int] = dict.fromkeys(Account, 0)
        self.engine: list[Liquidating] = []

    # -- totals
    @property
    def longs(self) -> int:
        held = int(self._lots[self._lots > 0].sum()) + sum(p.lots for p in self.engine if p.sign > 0)
        return held + sum(lots for lots in self.accounts.values() if lots > 0)

    @property
    def shorts(self) -> int:
        held = -int(self._lots[self._lots < 0].sum()) + sum(p.lots for p in self.engine if p.sign < 0)
        return held - sum(lots for lots in self.accounts.values() if lots < 0)

    @property
    def open_interest(self) -> int:
        return self.longs

    def holders(self, sign: int) -> int:
        """Accounts with a position of one side: each one with leverage, and one for those without."""
        return 1 + int(np.count_nonzero(self._lots * sign > 0)) + sum(p.sign == sign for p in self.engine)

    # -- changes; each caller books both sides of a fill
    def open(self, sign: int, lots: int, entry: float, leverage: float) -> None:
        if lots <= 0:
            return
        if not self._free:
            self.hold(sign, lots)
            return
        slot = self._free.pop()
        self._lots[slot] = sign * lots
        self._entry[slot] = entry
        self._bankruptcy[slot] = bankruptcy_price(sign, entry, leverage)
        self._liquidation[slot] = liquidation_price(sign, entry, leverage)

    def hold(self, sign: int, lots: int) -> None:
        """A position without leverage."""
        self.accounts[Account.LONGS if sign > 0 else Account.SHORTS] += sign * lots

    def close(self, sign: int, lots: int) -> int:
        """Positions of one side closed by their holders: half without leverage, the rest at random.

        Returns the lots closed (fewer when none are left).
        """
        small = Account.LONGS if sign > 0 else Account.SHORTS
        first = min(lots // 2, abs(self.accounts[small]))
        self.accounts[small] -= sign * first
        left = lots - first
        while left > 0:
            standing = np.flatnonzero(self._lots > 0 if sign > 0 else self._lots < 0)
            if not len(standing):
                break
            slot = int(standing[int(self._rng.integers(len(standing)))])
            closed = min(left, abs(int(self._lots[slot])))
            self._lots[slot] -= sign * closed
            left -= closed
            if self._lots[slot] == 0:
                self._free.append(slot)
        return lots - left

    def trigger(self, mark: float, now_ms: int) -> list[Liquidating]:
        """Positions whose liquidation price the mark price has crossed go to the engine."""
        due = np.flatnonzero(
            ((self._lots > 0) & (self._liquidation >= mark)) | ((self._lots < 0) & (self._liquidation <= mark))
        )
        taken = []
        for slot in due.tolist():
            lots = int(self._lots[slot])
            position = Liquidating(
                1 if lots > 0 else -1, abs(lots), float(self._entry[slot]), float(self._bankruptcy[slot]), now_ms
            )
            taken.append(position)
            self._lots[slot] = 0
            self._free.append(slot)
        self.engine.extend(taken)
        return taken

    def liquidatable(self, sign: int, low: float, high: float) -> int:
        """Lots of one side whose liquidation price lies in [low, high]: the true liquidation map."""
        inside = (self._liquidation >= low) & (self._liquidation <= high)
        inside &= self._lots > 0 if sign > 0 else self._lots < 0
        return int(np.abs(self._lots[inside]).sum())
