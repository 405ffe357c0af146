"""The series of the study, joined on 5-minute candles. Where no file holds what the map needs, what stands in is said here.

Liquidations are market-wide sums by the hour (CoinGlass, USD): so the map is run over the whole market as if it were one venue.
Two windows: JANUARY (1-16 January 2026; candles OKX BTC-USDT swap, open interest of the whole market every 4 h) and CRASH
(29 January - 11 February 2026; candles Bybit BTCUSDT, open interest Binance BTCUSDT every 5 min, times the market's share of it).
"""

from __future__ import annotations

import csv
import gzip
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CANDLES = 300
HOUR = 3600
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """One row a candle; quantities in coins of the whole market. `hours` start at `hour_start[0]`, every 12 candles."""

    name: str
    at: NDArray[np.int64]  # open time, s
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    buy_share: Floats  # stands in for taker volume: bulk volume classification
    open_interest: Floats  # at the start of each candle and, last, at the end
    funding: Floats  # rate paid in the candle
    hour_start: NDArray[np.int64]
    liquidated: Floats  # [hours, 2] coins, longs and shorts; NaN where the file has no row


def rows(path: str) -> list[dict[str, str]]:
    with gzip.open(SHARED_DATA / path, "rt") as file:
        return list(csv.DictReader(file))


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def candles(path: str, every: int) -> Floats:
    """float64[n, 6]: open time (s), open, high, low, close, volume; joined to 5 minutes."""
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    raw = np.array([[float(row[name]) for name in names] for row in rows(path)])
    raw[:, 0] /= 1000
    per = CANDLES // every
    raw = raw[: len(raw) // per * per].reshape(-1, per, 6)
    joined = [raw[:, 0, 0], raw[:, 0, 1], raw[:, :, 2].max(1), raw[:, :, 3].min(1), raw[:, -1, 4], raw[:, :, 5].sum(1)]
    return np.stack(joined, axis=1)


def buy_shares(close: Floats, start: Floats) -> Floats:
    """Bulk volume classification (Easley, Lopez de Prado, O'Hara 2012): Phi(return / its running deviation), past only."""
    change = np.log(close / start)
    variance, out = float(change[0] ** 2) + 1e-8, np.empty(len(change))
    for i, value in enumerate(change):
        out[i] = 0.5 * (1 + math.erf(value / math.sqrt(2 * variance)))
        variance += (value * value - variance) / 288  # a day of candles
    return out


def liquidations(start: int, hours: int, price: Floats) -> Floats:
    found = np.full((hours, 2), math.nan)
    for row in rows("liquidation-series/coinglass_btc_liquidation_1h_2025-11_2026-05.csv.gz"):
        index = (int(row["timestamp"]) // 1000 - start) // HOUR
        if 0 <= index < hours:
            found[index] = float(row["longUsd"]), float(row["shortUsd"])
    return found / price[:, None]


def market_open_interest() -> dict[int, tuple[float, float]]:
    """Open and close of each 4-hour bar, USD, the whole market."""
    path = "liquidation-series/coinglass_btc_oi_4h_2025-10_2026-04.csv.gz"
    return {seconds(row["timestamp"]): (float(row["open"]), float(row["close"])) for row in rows(path)}


def turnover(at: NDArray[np.int64], usd: Floats) -> float:
    """How many times the candles' turnover the market's taker volume was in the first four hours: fixed before anything is scored."""
    for row in rows("liquidation-series/coinglass_btc_taker_volume_4h_2025-10_2026-04.csv.gz"):
        inside = (at >= seconds(row["timestamp"])) & (at < seconds(row["timestamp"]) + 4 * HOUR)
        if inside.sum() == 48:
            return (float(row["buy_usd"]) + float(row["sell_usd"])) / float(usd[inside].sum())
    raise ValueError("no taker volume for these candles")


def funding(at: NDArray[np.int64]) -> Floats:
    """The rate at each 8-hour payment, in the candle that ends there; the file is taken to be in percent."""
    path = "liquidation-series/coinglass_btc_funding_4h_2025-10_2026-04.csv.gz"
    known = {seconds(row["timestamp"]): float(row["open"]) / 100 for row in rows(path)}
    out = np.zeros(len(at))
    for i, start in enumerate(at.tolist()):
        end = start + CANDLES
        if end % (8 * HOUR) == 0:
            out[i] = known.get(end, 0.0)
    return out


def window(name: str, data: Floats, open_interest: Floats) -> Window:
    at = data[:, 0].astype(np.int64)
    start = data[:, 1].copy()
    usd = data[:, 4] * data[:, 5]
    hours = len(at) // 12
    hour_start = at[: hours * 12 : 12]
    price = data[: hours * 12, 4].reshape(hours, 12).mean(1)
    return Window(
        name, at, start, data[:, 2], data[:, 3], data[:, 4], data[:, 5] * turnover(at, usd), buy_shares(data[:, 4], start),
        open_interest, funding(at), hour_start, liquidations(int(at[0]), hours, price),
    )  # fmt: skip


def january() -> Window:
    """Open interest is known every 4 hours only: it moves in the last candle of each bar, when its close is known."""
    data = candles("crash-klines/calm-2026-01_okx-swap_BTCUSDT_1m.csv.gz", 60)
    at, bars = data[:, 0].astype(np.int64), market_open_interest()
    coins = np.empty(len(at) + 1)
    coins[0] = bars[int(at[0])][0] / data[0, 1]
    for i in range(len(at)):
        end = int(at[i]) + CANDLES
        bar = bars.get(end - 4 * HOUR) if end % (4 * HOUR) == 0 else None
        coins[i + 1] = coins[i] if bar is None else bar[1] / data[i, 4]
    return window("january", data, coins)


def crash() -> Window:
    data = candles("crash-klines/2026-02-05_bybit-linear_BTCUSDT_5m.csv.gz", 300)
    at = data[:, 0].astype(np.int64)
    path = "open-interest-5m-2026-02/binance_oi_5m_2026-01-29_2026-02-11.csv.gz"
    known = {int(row["t"]) // 1000: float(row["oi"]) for row in rows(path) if row["symbol"] == "BTC"}
    coins = np.array([known[start] for start in at.tolist()] + [known[int(at[-1])]])
    share = market_open_interest()[int(at[0])][0] / (coins[0] * data[0, 1])
    return window("crash", data, coins * share)
