"""Grafana panels as plain dictionaries (schemaVersion 41), laid out on the 24 columns by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS = 24
ROW_HEIGHT = 1


@dataclass(frozen=True)
class Query:
    """One expression. `legend` names its series."""

    expr: str
    legend: str = ""
    instant: bool = False  # a table or a single figure: only the present


@dataclass(frozen=True)
class Panel:
    """One panel. `kind` is Grafana's; `unit` one of its units; `about` is shown on hover."""

    title: str
    queries: Sequence[Query]
    unit: str
    about: str = ""
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    options: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of fieldConfig
    custom: Mapping[str, Any] = field(default_factory=dict)  # how series are drawn
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


_OPTIONS: Mapping[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
    },
    "state-timeline": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "rowHeight": 0.9,
        "showValue": "auto",
        "tooltip": {"mode": "single", "sort": "none"},
    },
    "table": {"cellHeight": "sm", "showHeader": True},
    # Each series is a row, named by a number: Grafana sorts such rows by it.
    "heatmap": {
        "calculate": False,
        "cellGap": 0,
        "color": {
            "mode": "scheme",
            "scheme": "Viridis",
            "scale": "exponential",
            "exponent": 0.5,
            "steps": 64,
            "reverse": False,
        },
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": True},
        "yAxis": {"axisPlacement": "left", "reverse": False},
    },
}
_CUSTOM: Mapping[str, Json] = {
    # Gaps stay gaps: a figure that is not known is absent, and a line across it would be a lie.
    "timeseries": {"drawStyle": "line", "fillOpacity": 0, "lineWidth": 1, "showPoints": "never", "spanNulls": False},
    "state-timeline": {"fillOpacity": 70, "lineWidth": 0},
}


def build(rows: Sequence[Row]) -> list[Json]:
    """Panels with ids and places: each row's panels from left to right, wrapped where 24 columns are full."""
    out: list[Json] = []
    ids = iter(range(1, 10_000))
    y = 0
    for row in rows:
        out.append(
            {
                "id": next(ids),
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": ROW_HEIGHT},
                "panels": [],
            }
        )
        y += ROW_HEIGHT
        for panel, x, below in _places(row.panels):
            out.append(_panel(panel, next(ids), {"x": x, "y": y + below, "w": panel.width, "h": panel.height}))
        y += max(below + panel.height for panel, _, below in _places(row.panels))
    return out


def _places(panels: Sequence[Panel]) -> Iterator[tuple[Panel, int, int]]:
    x = below = tallest = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, below, tallest = 0, below + tallest, 0
        yield panel, x, below
        x += panel.width
        tallest = max(tallest, panel.height)


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                **panel.defaults,
                "custom": {**_CUSTOM.get(panel.kind, {}), **panel.custom},
            },
            "overrides": list(panel.overrides),
        },
        "options": {**_OPTIONS[panel.kind], **panel.options},
        "targets": [_target(query, chr(ord("A") + index)) for index, query in enumerate(panel.queries)],
        "transformations": list(panel.transformations),
    }


def _target(query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend or "__auto",
        "instant": query.instant,
        "range": not query.instant,
        **({"format": "table"} if query.instant else {}),
    }


def mapping(texts: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Value mappings: number -> (text, colour)."""
    return [
        {
            "type": "value",
            "options": {
                str(value): {"text": text, "color": colour, "index": index}
                for index, (value, (text, colour)) in enumerate(texts.items())
            },
        }
    ]


def thresholds(*steps: tuple[float | None, str]) -> Json:
    """Colours from each value on; the first has None."""
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def colour_of(pattern: str, colour: str) -> Json:
    """A fixed colour for series whose name matches."""
    return {
        "matcher": {"id": "byRegexp", "options": pattern},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
    }
