"""The line format of a scrape, shared by Prometheus text 0.0.4 and OpenMetrics 1.0."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from monitor.metrics.table import Metric


class Format(Enum):
    """A scrape format; the value is its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def escape(value: str) -> str:
    """A label value or help text as both formats quote it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def header(metric: Metric, form: Format) -> str:
    """HELP and TYPE lines. OpenMetrics names a counter's family without _total; the samples keep it."""
    name = metric.family if form is Format.OPENMETRICS else metric.full_name
    return f"# HELP {name} {escape(metric.help) if form is Format.OPENMETRICS else metric.help}\n# TYPE {name} {metric.kind}\n"


def label_block(names: Sequence[str], values: Sequence[str]) -> str:
    """`a="x",b="y"` without braces."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


# A number's text ends in a digit. What ends otherwise is inf, nan, True, False, or a numpy scalar's repr.
_ODD_ENDS = frozenset("fne)")
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def number(value: float) -> str:
    """A sample value: shortest text that reads back as the same float; NaN, +Inf and -Inf as both formats want them."""
    text = repr(value)
    if text[-1] in _ODD_ENDS:
        text = repr(float(value))
        return _SPECIAL.get(text, text)
    return text


def accepted_format(accept: str) -> Format:
    """The format an Accept header asks for: OpenMetrics where it is named and not ranked below plain text."""
    quality = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        if kind not in quality:
            continue
        rank = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    rank = float(parameter[2:])
                except ValueError:
                    rank = 0.0
        quality[kind] = max(quality[kind], rank)
    openmetrics = quality["application/openmetrics-text"]
    return Format.OPENMETRICS if openmetrics > 0 and openmetrics >= quality["text/plain"] else Format.TEXT
