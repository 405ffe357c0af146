"""A market's past in the venues' words: hourly candles, and the share of the accounts that are long.

Each function gives the rows a venue's reply holds; what stands around them is the writer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from monitor.simulator.history import HOUR_MS, Hour
from monitor.simulator.specs import MarketSpec

DEFAULT_COUNT: Final = 100
FIVE_MINUTES_MS: Final = 300_000


def newest(hours: Sequence[Hour], limit: str, most: int, usual: int = DEFAULT_COUNT) -> Sequence[Hour] | None:
    """The last `limit` of them ("": as many as usual), oldest first; None: the venue does not take that limit."""
    if limit and not (limit.isdigit() and 1 <= int(limit) <= most):
        return None
    return hours[-int(limit or usual) :]


def between(hours: Sequence[Hour], query: Mapping[str, str], start: str, end: str, unit: int) -> list[Hour] | None:
    """Those that begin within the ends (`unit` ms each) the query names; None: it does not name them as it should."""
    ends = [query.get(name, "") for name in (start, end)]
    if not all(text.isdigit() for text in ends):
        return None
    first, last = (int(text) * unit for text in ends)
    return [hour for hour in hours if first <= hour.number * HOUR_MS <= last]


def _begun(hour: Hour) -> int:
    return hour.number * HOUR_MS


def _turnover(spec: MarketSpec, hour: Hour) -> str:
    return f"{hour.lots * spec.worth(hour.close * spec.tick_usd):.4f}"


def _coins(spec: MarketSpec, hour: Hour) -> str:
    return f"{hour.lots * spec.base(hour.close * spec.tick_usd):.8f}"


def _texts(spec: MarketSpec, hour: Hour) -> list[str]:
    return [spec.price_text(tick) for tick in (hour.open, hour.high, hour.low, hour.close)]


def binance(spec: MarketSpec, hours: Sequence[Hour]) -> list[list[object]]:
    """Inverse contracts have coins where the others have the turnover."""
    other = _coins if spec.kind == "inverse" else _turnover
    return [
        [
            _begun(hour),
            *_texts(spec, hour),
            spec.size_text(hour.lots),
            _begun(hour) + HOUR_MS - 1,
            other(spec, hour),
            hour.lots % 997 + 1,
            spec.size_text(hour.bought),
            other(spec, hour),
            "0",
        ]
        for hour in hours
    ]


def bybit(spec: MarketSpec, hours: Sequence[Hour]) -> list[list[str]]:
    """Newest first."""
    other = _coins if spec.kind == "inverse" else _turnover
    return [
        [str(_begun(hour)), *_texts(spec, hour), spec.size_text(hour.lots), other(spec, hour)] for hour in hours[::-1]
    ]


def okx(spec: MarketSpec, hours: Sequence[Hour]) -> list[list[str]]:
    """Newest first; the running hour is not confirmed."""
    return [
        [
            str(_begun(hour)),
            *_texts(spec, hour),
            spec.size_text(hour.lots),
            _coins(spec, hour),
            _turnover(spec, hour),
            "0" if hour is hours[-1] else "1",
        ]
        for hour in hours[::-1]
    ]


def okx_past(
    spec: MarketSpec, hours: Sequence[Hour], long_share: float, now_ms: int, query: Mapping[str, str]
) -> list[list[str]] | None:
    """Candles where a bar is asked for, longs per short where a period is; None: neither as the venue takes it."""
    if query.get("period") == "5m":
        return [[str(now_ms // FIVE_MINUTES_MS * FIVE_MINUTES_MS), f"{long_share / (1 - long_share):.4f}"]]
    rows = newest(hours, query.get("limit", ""), 300) if query.get("bar") == "1H" else None  # the only one simulated
    return None if rows is None else okx(spec, rows)


def hyperliquid(spec: MarketSpec, hours: Sequence[Hour]) -> list[dict[str, object]]:
    rows = []
    for hour in hours:
        opened, high, low, close = _texts(spec, hour)
        row = {"t": _begun(hour), "T": _begun(hour) + HOUR_MS - 1, "s": spec.symbol, "i": "1h", "o": opened, "c": close}
        rows.append({**row, "h": high, "l": low, "v": spec.size_text(hour.lots), "n": hour.lots % 997 + 1})
    return rows


def gate(spec: MarketSpec, hours: Sequence[Hour]) -> list[dict[str, object]]:
    rows = []
    for hour in hours:
        opened, high, low, close = _texts(spec, hour)
        row = {"t": _begun(hour) // 1000, "o": opened, "c": close, "h": high, "l": low}
        rows.append({**row, "v": spec.size_text(hour.lots), "sum": _turnover(spec, hour)})
    return rows


def coinbase(spec: MarketSpec, hours: Sequence[Hour]) -> list[list[float]]:
    """Newest first: time, low, high, open, close, coins."""
    rows: list[list[float]] = []
    for hour in hours[::-1]:
        opened, high, low, close = (float(text) for text in _texts(spec, hour))
        rows.append([_begun(hour) // 1000, low, high, opened, close, float(spec.size_text(hour.lots))])
    return rows


def kraken_futures(spec: MarketSpec, hours: Sequence[Hour]) -> list[dict[str, object]]:
    rows = []
    for hour in hours:
        opened, high, low, close = _texts(spec, hour)
        row = {"time": _begun(hour), "open": opened, "high": high, "low": low, "close": close}
        rows.append({**row, "volume": spec.size_text(hour.lots)})
    return rows


def deribit(spec: MarketSpec, hours: Sequence[Hour]) -> dict[str, object]:
    """Columns: `volume` in coins, `cost` in the quote currency, whatever the contract is counted in."""
    texts = [[float(text) for text in _texts(spec, hour)] for hour in hours]
    prices = {name: [row[at] for row in texts] for at, name in enumerate(("open", "high", "low", "close"))}
    return {
        "ticks": [_begun(hour) for hour in hours],
        **prices,
        "volume": [float(_coins(spec, hour)) for hour in hours],
        "cost": [float(_turnover(spec, hour)) for hour in hours],
        "status": "ok" if hours else "no_data",
    }
