"""hftbacktest's market depth: `ROIVectorMarketDepth`, one array of quantities a tick, read by a numba function.

Its Python package changes a depth only inside a backtest, which reads event rows that were laid out before it began. So the
rows stand ready, each frame is parsed and written into an equal row range (the work a user has), and the backtest is moved on
by one frame. Only the local side takes the events (LOCAL_EVENT), so that the book is changed once and not twice. The bands
are one pass over each side's array with fastmath; the array covers just the 10% band and the day's drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import orjson
from hftbacktest import (
    BUY_EVENT,
    DEPTH_EVENT,
    LOCAL_EVENT,
    SELL_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.types import event_dtype
from numba import njit

from tests.bench.frames import BANDS, LOT, TICK

RATIOS = np.array([float(band.rstrip("%")) / 100 for band in BANDS])
STEP = 1_000  # ns between two frames
LOWEST, HIGHEST = 54_000.0, 69_000.0  # the range of interest
SLACK = 1e-6


@njit(fastmath=True)  # type: ignore[untyped-decorator]
def _bands(depth: Any, ratios: np.ndarray, out: np.ndarray, tick: float) -> None:
    bids, asks, low = depth.bid_depth, depth.ask_depth, depth.roi_lb_tick
    mid = (depth.best_bid_tick + depth.best_ask_tick) / 2
    begin = depth.best_bid_tick - low
    base = usd = 0.0
    for band in range(len(ratios)):
        edge = int(np.ceil(mid * (1 - ratios[band]) - SLACK)) - low
        for index in range(edge, begin + 1):
            base += bids[index]
            usd += bids[index] * (index + low)
        begin = edge - 1
        out[0, band, 0] = base
        out[0, band, 1] = usd * tick
    begin = depth.best_ask_tick - low
    base = usd = 0.0
    for band in range(len(ratios)):
        edge = int(np.floor(mid * (1 + ratios[band]) + SLACK)) - low
        for index in range(begin, edge + 1):
            base += asks[index]
            usd += asks[index] * (index + low)
        begin = edge + 1
        out[1, band, 0] = base
        out[1, band, 1] = usd * tick


@njit(fastmath=True)  # type: ignore[untyped-decorator]
def _step_and_bands(test: Any, duration: int, ratios: np.ndarray, out: np.ndarray, tick: float) -> int:
    ended: int = test.elapse(duration)
    _bands(test.depth(0), ratios, out, tick)
    return ended


class HftbacktestBook:
    def __init__(self, snapshot: bytes, frames: Sequence[bytes]) -> None:
        data = orjson.loads(snapshot)
        parsed = [(data["bids"], data["asks"])]
        for frame in frames:
            data = orjson.loads(frame)["data"]
            parsed.append((data["b"], data["a"]))
        total = sum(len(bids) + len(asks) for bids, asks in parsed)
        self.rows = np.zeros(total + 1, event_dtype)
        begin = 0
        for number, (bids, asks) in enumerate(parsed, 1):
            middle, end = begin + len(bids), begin + len(bids) + len(asks)
            self.rows["ev"][begin:middle] = DEPTH_EVENT | LOCAL_EVENT | BUY_EVENT
            self.rows["ev"][middle:end] = DEPTH_EVENT | LOCAL_EVENT | SELL_EVENT
            self.rows["exch_ts"][begin:end] = self.rows["local_ts"][begin:end] = number * STEP
            begin = _write(self.rows["px"], self.rows["qty"], begin, bids, asks)
        # The backtest ends with its data: one last row far ahead keeps it going.
        self.rows[-1] = (DEPTH_EVENT | LOCAL_EVENT | BUY_EVENT, 1 << 60, 1 << 60, LOWEST, 0.0, 0, 0, 0.0)
        self.prices, self.sizes = np.zeros(total), np.zeros(total)
        self.place = 0
        self.out = np.zeros((2, len(RATIOS), 2))
        asset = (
            BacktestAsset()
            .data(self.rows)
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0, 0)
            .tick_size(float(TICK))
            .lot_size(float(LOT))
            .roi_lb(LOWEST)
            .roi_ub(HIGHEST)
            .last_trades_capacity(0)
        )
        self.test = ROIVectorMarketDepthBacktest([asset])
        if (
            self.test.elapse(STEP // 2) != 0
        ):  # the clock starts at the snapshot's rows; the first frame's are half a step ahead
            raise RuntimeError("the backtest did not begin")
        self.last: int | None = None

    def _read(self, frame: bytes) -> None:
        data = orjson.loads(frame)["data"]
        if self.last is not None and data["pu"] != self.last:
            raise ValueError("a frame is missing")
        self.last = data["u"]
        self.place = _write(self.prices, self.sizes, self.place, data["b"], data["a"])

    def update(self, frame: bytes) -> None:
        self._read(frame)
        self.test.elapse(STEP)

    def update_and_bands(self, frame: bytes) -> np.ndarray:
        self._read(frame)
        _step_and_bands(self.test, STEP, RATIOS, self.out, float(TICK))
        return self.out

    def figures(self) -> list[float]:
        _bands(self.test.depth(0), RATIOS, self.out, float(TICK))
        figures: list[float] = self.out.ravel().tolist()
        return figures


def _write(prices: np.ndarray, sizes: np.ndarray, begin: int, bids: list[list[str]], asks: list[list[str]]) -> int:
    """Levels into the rows from `begin` on; returns where the next frame begins."""
    count = len(bids) + len(asks)
    flat = np.fromiter(map(float, chain.from_iterable(chain(bids, asks))), float, 2 * count)
    prices[begin : begin + count] = flat[::2]
    sizes[begin : begin + count] = flat[1::2]
    return begin + count
