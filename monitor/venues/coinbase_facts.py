"""What Coinbase's replies say: whether a product trades, and its candles. Facts as of 2026-11-22; the fields are in `coinbase`."""

from __future__ import annotations

from typing import Final

from monitor import facts
from monitor.facts import Fact
from monitor.venues.candles import CandleForm
from monitor.venues.reading import Reader, Record

HALTS: Final = ("is_disabled", "trading_disabled", "cancel_only", "post_only", "auction_mode")
ONLINE: Final = "online"
SECOND: Final = 1_000_000_000
# [1770285600,72950.1,73100.5,73000,73010,812.345], newest first: time, low, high, open, close, coins
CANDLE: Final = CandleForm(
    "time", "low", "high", "close", "volume", unit=SECOND, columns=("time", "low", "high", "open", "close", "volume")
)


def status(reader: Reader, row: Record) -> str:
    """What keeps orders from meeting, or the venue's own word."""
    halted = [flag for flag in HALTS if row.get(flag) is True]
    return halted[0] if halted else reader.text(row, "status")


def changed(reader: Reader, row: Record) -> Fact:
    said = status(reader, row)
    return facts.InstrumentChanged(reader.text(row, "product_id"), said == ONLINE, said, 0)
