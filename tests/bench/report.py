"""The table and the file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.bench.contestants import OURS, PEERS, versions
from tests.bench.figures import Figure
from tests.bench.frames import Capture, Group
from tests.bench.rounds import Timed

# At least this many times faster: the first three peers, and hftbacktest.
GOALS: Final = {"wire_to_bands_10_levels": (5.0, 2.0)}
GOAL: Final = (20.0, 8.0)
HFTBACKTEST: Final = "hftbacktest market depth"
AS_ROWS: Final = "ours, every figure as a Python value"
WIDTH: Final = 180
HEADS: Final = {
    "orjson + floats + sortedcontainers": "sortedcontainers",
    "cryptofeed order_book": "cryptofeed",
    "nautilus_trader OrderBook": "nautilus_trader",
    "hftbacktest market depth": "hftbacktest",
}


def goal_of(group: str, peer: str) -> float:
    return GOALS.get(group, GOAL)[peer == HFTBACKTEST]


def print_table(
    console: Console,
    capture: Capture,
    groups: Sequence[Group],
    times: Mapping[tuple[str, str], Timed],
    absent: Mapping[str, str],
    figures: Sequence[Figure],
) -> bool:
    """One table; True when every goal was reached."""
    table = Table(title="Frame bytes in, book updated, seven bands of both sides in coins and USD out; medians")
    table.add_column("measured", min_width=66)
    table.add_column("levels", justify="right")
    table.add_column("ours", justify="right")
    for name in PEERS:
        table.add_column(HEADS[name], justify="right", style="dim" if name in absent else None)
    table.add_column("goal", justify="right")
    reached = True
    for group in groups:
        ours = times[group.name, OURS]
        cells = []
        for peer in PEERS:
            if peer in absent:
                cells.append("not installed")
                continue
            theirs = times[group.name, peer]
            ratio, goal = theirs.median / ours.median, goal_of(group.name, peer)
            reached &= ratio >= goal
            cells.append(f"{_us(theirs)}\n{ratio:,.0f}x{'' if ratio >= goal else ' MISSED'}")
        least, less = goal_of(group.name, ""), goal_of(group.name, HFTBACKTEST)
        table.add_row(
            f"{group.title} ({len(group.places)})",
            f"{group.mean_levels(capture):.0f}",
            f"{_us(ours)}\n{times[group.name, AS_ROWS].median:.1f} as values",
            *cells,
            f"{least:.0f}x, {less:.0f}x",
        )
    table.add_section()
    for figure in figures:
        if figure.met is False:
            reached = False
        table.add_row(
            figure.title,
            "" if figure.levels is None else f"{figure.levels:,}",
            f"{figure.value:,.3g} {figure.unit}".rstrip()
            + ("" if figure.spread is None else f" ±{figure.spread / 2:.0%}"),
            *[""] * len(PEERS),
            "" if figure.goal is None else f"{figure.goal:,.3g} {figure.unit} {'met' if figure.met else 'MISSED'}",
        )
    console.print(table)
    for name, reason in absent.items():
        console.print(f"[bold]not compared: {name} is not installed here[/] ({reason})")
    return reached


def _us(timed: Timed) -> str:
    return f"{timed.median:,.1f} us ±{timed.spread / 2:.0%}"


def write_json(
    path: Path,
    capture: Capture,
    groups: Sequence[Group],
    times: Mapping[tuple[str, str], Timed],
    absent: Mapping[str, str],
    figures: Sequence[Figure],
    service: Mapping[str, Any] | None,
) -> None:
    rows: list[dict[str, Any]] = []
    for group in groups:
        peers = {name: times[group.name, name] for name in PEERS if name not in absent}
        ours = times[group.name, OURS]
        rows.append(
            {
                "name": group.name,
                "levels": round(group.mean_levels(capture), 1),
                "ours_us": round(ours.median, 3),
                "peers_us": {name: round(timed.median, 3) for name, timed in peers.items()},
                "ratios": {name: round(timed.median / ours.median, 2) for name, timed in peers.items()},
                "goals": {name: goal_of(group.name, name) for name in peers},
                "frames": len(group.places),
                "ours_as_values_us": round(times[group.name, AS_ROWS].median, 3),
                "passes_us": {
                    name: [round(value, 3) for value in timed.medians] for name, timed in {OURS: ours, **peers}.items()
                },
            }
        )
    for figure in figures:
        if figure.unit == "us" and figure.levels is not None:
            rows.append(
                {"name": figure.name, "levels": figure.levels, "ours_us": round(figure.value, 3), "peers_us": {}}
            )
    document = {
        "rows": rows,
        "figures": [
            {
                "name": figure.name,
                "title": figure.title,
                "value": figure.value,
                "unit": figure.unit,
                "goal": figure.goal,
                "met": figure.met,
                "spread": figure.spread,
            }
            for figure in figures
        ],
        "service": service,
        "not_compared": dict(absent),
        "versions": versions(),
        "machine": machine(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def machine() -> dict[str, Any]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        )
        if Path("/proc/cpuinfo").exists()
        else (),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_average": os.getloadavg(),
    }
