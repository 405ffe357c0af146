"""Per-market series as cached line prefixes plus numbers: a tenth of what the stock client costs, at ten thousand series.

Families come in the order of the table, each with its series in the order of the markets, so that a family is one block as
both formats demand, and what the cap cuts off is the end of the table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

from engines.book.reader import RESYNC_REASONS
from monitor.clock import SECOND
from monitor.metrics.table import COUNTER_PARTS, METRICS, Metric
from monitor.metrics.text import Format, header, label_block, number
from monitor.views import DepthFigure, MarketView

# A market has about 80 series with default settings; a market that made more than this has labels that are not bounded,
# and its cache starts afresh.
MAX_PREFIXES_PER_MARKET = 1_000
# The render thread lets go of the interpreter after this many lines (about 0.1 ms), so that the event loop does not wait
# for the switch interval of 5 ms behind a scrape.
LINES_PER_BREATH = 200
MARKETS_PER_STEP = 20
BREATH_SECONDS = 10e-6


class Cell:
    """Line prefixes of one market: `undertow_x{venue="..",...} ` by metric name and further label values."""

    __slots__ = ("labels", "prefixes", "seen")

    def __init__(self, market: MarketView) -> None:
        self.labels = label_block(("venue", "market", "asset"), (market.venue, market.market, market.asset))
        self.prefixes: dict[object, str] = {}
        self.seen = 0

    def build(self, metric: Metric, *values: str) -> str:
        further = "," + label_block(metric.labels[3:], values) if values else ""
        return f"{metric.full_name}{{{self.labels}{further}}} "


NO_RESYNCS: dict[str, int] = dict.fromkeys(RESYNC_REASONS, 0)  # counters start at 0
Row = tuple[MarketView, Cell]
Lines = Callable[[Metric, Sequence[Row]], list[str]]


def _single(read: Callable[[MarketView], float | None]) -> Lines:
    """A metric without further labels."""

    def lines(metric: Metric, rows: Sequence[Row]) -> list[str]:
        out: list[str] = []
        name = metric.name
        for market, cell in rows:
            value = read(market)
            if value is not None:
                prefix = cell.prefixes.get(name)
                if prefix is None:
                    prefix = cell.prefixes[name] = cell.build(metric)
                out.append(prefix + number(value))
        return out

    return lines


def _labelled(read: Callable[[MarketView], Iterable[tuple[str, float | None]]]) -> Lines:
    """A metric with one further label; `read` gives (its value, figure)."""

    def lines(metric: Metric, rows: Sequence[Row]) -> list[str]:
        out: list[str] = []
        name = metric.name
        for market, cell in rows:
            for label, value in read(market):
                if value is None:
                    continue
                key = (name, label)
                prefix = cell.prefixes.get(key)
                if prefix is None:
                    prefix = cell.prefixes[key] = cell.build(metric, label)
                out.append(prefix + number(value))
        return out

    return lines


def _counter(metric: Metric, rows: Sequence[Row]) -> list[str]:
    """A counter of MarketView.counters. A key that is absent has no series."""
    out: list[str] = []
    keys: list[tuple[str, tuple[str, ...]]] = [
        (f"{metric.name}|{part}", (part,)) for part in COUNTER_PARTS[metric.name]
    ]
    keys = keys or [(metric.name, ())]
    for market, cell in rows:
        counters = market.counters
        for key, values in keys:
            value = counters.get(key)
            if value is not None:
                prefix = cell.prefixes.get(key)
                if prefix is None:
                    prefix = cell.prefixes[key] = cell.build(metric, *values)
                out.append(prefix + number(value))
    return out


def _depth(read: Callable[[DepthFigure], float]) -> Lines:
    def lines(metric: Metric, rows: Sequence[Row]) -> list[str]:
        out: list[str] = []
        name = metric.name
        for market, cell in rows:
            prefixes = cell.prefixes
            for figure in market.depth:
                key = (name, figure.side, figure.band)
                prefix = prefixes.get(key)
                if prefix is None:
                    prefix = prefixes[key] = cell.build(metric, figure.side, figure.band)
                out.append(prefix + number(read(figure)))
        return out

    return lines


def _basis(metric: Metric, rows: Sequence[Row]) -> list[str]:
    """The value is always 1, so the cache holds whole lines."""
    out: list[str] = []
    for market, cell in rows:
        prefixes = cell.prefixes
        for figure in market.depth:
            key = (metric.name, figure.side, figure.band, figure.basis)
            line = prefixes.get(key)
            if line is None:
                line = prefixes[key] = cell.build(metric, figure.side, figure.band, figure.basis) + "1"
            out.append(line)
    return out


def _slippage(metric: Metric, rows: Sequence[Row]) -> list[str]:
    out: list[str] = []
    for market, cell in rows:
        prefixes = cell.prefixes
        for key, ratio in market.slippage_ratio.items():  # key: (side, notional), like no other family's
            prefix = prefixes.get(key)
            if prefix is None:
                prefix = prefixes[key] = cell.build(metric, key[0], str(key[1]))
            out.append(prefix + number(ratio))
    return out


def _market_info(metric: Metric, rows: Sequence[Row]) -> list[str]:
    return [cell.build(metric, market.quote, market.contract_type) + "1" for market, cell in rows]


def _last_update(market: MarketView) -> float | None:
    return None if market.last_update is None else market.last_update / SECOND


_RENDERERS: dict[str, Lines] = {
    "book_verified": _single(lambda market: 1 if market.verified else 0),
    "mid_price": _single(attrgetter("mid_price")),
    "spread_ratio": _single(attrgetter("spread_ratio")),
    "book_last_update_timestamp_seconds": _single(_last_update),
    "liquidation_coverage": _labelled(lambda market: ((market.liquidation_coverage, 1),)),
    "book_resyncs_total": _labelled(lambda market: {**NO_RESYNCS, **market.resyncs}.items()),
    "feed_silent": _labelled(lambda market: [(channel, int(silent)) for channel, silent in market.silent.items()]),
    "open_interest_usd": _single(attrgetter("open_interest_usd")),
    "mark_price": _single(attrgetter("mark_price")),
    "funding_rate_8h_ratio": _single(attrgetter("funding_rate_8h_ratio")),
    "funding_interval_seconds": _single(attrgetter("funding_interval_seconds")),
    "market_info": _market_info,
    "book_reach_ratio": _labelled(lambda market: market.reach_ratio.items()),
    "depth_usd": _depth(attrgetter("usd")),
    "depth_base": _depth(attrgetter("base")),
    "depth_basis": _basis,
    "slippage_ratio": _slippage,
    **dict.fromkeys(COUNTER_PARTS, _counter),
}

MARKET_METRICS: tuple[Metric, ...] = tuple(
    metric for metric in METRICS if metric.source == "market" and metric.exported
)

if {metric.name for metric in MARKET_METRICS} != set(_RENDERERS):
    raise RuntimeError("the table and the renderers of market metrics differ")


class MarketRenderer:
    """Renders the market block; used by one thread at a time. Prefixes of markets that left are dropped at the next scrape."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], Cell] = {}
        self._scrape = 0

    @property
    def cached_prefixes(self) -> int:
        return sum(len(cell.prefixes) for cell in self._cells.values())

    def render(self, markets: Sequence[MarketView], form: Format, limit: int) -> tuple[str, int, int]:
        """Text of at most `limit` series; how many it holds; how many were left out."""
        rows = self._rows(markets)
        steps = [rows[start : start + MARKETS_PER_STEP] for start in range(0, len(rows), MARKETS_PER_STEP)]
        blocks: list[str] = []
        written = dropped = since_breath = 0
        for metric in MARKET_METRICS:
            renderer = _RENDERERS[metric.name]
            begun = False
            for step in steps:
                lines = renderer(metric, step)
                room = limit - written
                if len(lines) > room:
                    dropped += len(lines) - room
                    del lines[room:]
                if not lines:
                    continue
                if not begun:
                    begun = True
                    blocks.append(header(metric, form))
                written += len(lines)
                lines.append("")
                blocks.append("\n".join(lines))
                since_breath += len(lines)
                if since_breath >= LINES_PER_BREATH:
                    since_breath = 0
                    time.sleep(BREATH_SECONDS)
        return "".join(blocks), written, dropped

    def _rows(self, markets: Sequence[MarketView]) -> list[Row]:
        self._scrape += 1
        rows: list[Row] = []
        for market in markets:
            key = (market.venue, market.market, market.asset)
            cell = self._cells.get(key)
            if cell is None or len(cell.prefixes) > MAX_PREFIXES_PER_MARKET:
                cell = self._cells[key] = Cell(market)
            elif cell.seen == self._scrape:  # one series written twice would make Prometheus refuse the whole scrape
                continue
            cell.seen = self._scrape
            rows.append((market, cell))
        if len(self._cells) > len(rows):
            self._cells = {key: cell for key, cell in self._cells.items() if cell.seen == self._scrape}
        return rows
