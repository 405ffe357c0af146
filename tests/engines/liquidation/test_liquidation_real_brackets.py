"""Brackets as Binance had them in 2023, 2024 and 2026: deductions, and prices that satisfy them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from engines.liquidation import brackets, price

FILES = {
    "binance_leverage_tiers_2026-04.json.gz": (687, 5835),
    "binance_leverage_tiers_2024-10.json.gz": (349, 2805),
    "binance_fapi_leverageBracket_2023.json.gz": (1, 10),
}
Rows = dict[str, list[dict[str, Any]]]


def read(path: Path) -> Rows:
    data = orjson.loads(gzip.decompress(path.read_bytes()))
    if isinstance(data, list):
        return {market["symbol"]: market["brackets"] for market in data}
    return {symbol: [tier["info"] for tier in tiers] for symbol, tiers in data.items()}


def column(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


@pytest.mark.parametrize("name", FILES)
def test_real_brackets(shared_data: Path, name: str) -> None:
    markets = read(shared_data / "margin-tiers" / name)
    assert (len(markets), sum(map(len, markets.values()))) == FILES[name]
    solved = 0
    for rows in markets.values():
        floors, caps = column(rows, "notionalFloor"), column(rows, "notionalCap")
        rates, cum, leverage = column(rows, "maintMarginRatio"), column(rows, "cum"), column(rows, "initialLeverage")
        assert floors[1:] == pytest.approx(caps[:-1])
        assert brackets.deductions_from(floors, rates) == pytest.approx(cum, rel=1e-9, abs=1e-4)
        for k in range(0, len(rows), 2):  # a position in the middle of every other bracket, at its highest leverage
            entry = 7.0
            quantity = (floors[k] + caps[k]) / 2 / entry
            for side in (1, -1):
                wallet = quantity * entry / leverage[k]
                at, used = price.bracketed(False, side, quantity, entry, wallet, floors, rates, cum, 0.0, math.nan)
                if leverage[k] == 1.0 and side == 1:
                    # Without leverage a long loses its margin at 0; the deduction puts off the end for ever.
                    assert math.isnan(at)
                    continue
                worth = quantity * at
                assert floors[used] * (1 - 1e-9) <= worth
                assert used == len(rows) - 1 or worth <= caps[used] * (1 + 1e-9)
                equity = wallet + side * quantity * (at - entry)
                assert equity == pytest.approx(worth * rates[used] - cum[used], rel=1e-6)
                solved += 1
    assert solved >= sum(map(len, markets.values())) * 0.8
