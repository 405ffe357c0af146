"""Settings as TOML again: what `undertow check` prints. Loading the text gives the same settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from monitor.config.values import UNITS, parse_duration

HIDDEN: Final = "***"
SECRET_NAME: Final = re.compile(r"(^|_)(password|passwd|secret|token|api_?key|credential)s?$", re.IGNORECASE)


def as_toml(settings: BaseModel, found: Mapping[tuple[str, ...], str]) -> str:
    """Every key with its value; those that are no default say where they were set. What is absent stands as a comment."""
    return "\n".join(_section(settings, (), found)).lstrip("\n") + "\n"


def as_data(settings: BaseModel) -> dict[str, Any]:
    """The same for JSON."""
    data: dict[str, Any] = {}
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            data[name] = as_data(value)
        elif isinstance(value, dict):
            data[name] = {key: as_data(inner) for key, inner in value.items()}
        elif value is not None and SECRET_NAME.search(name):
            data[name] = HIDDEN
        elif is_duration(field):
            data[name] = duration_text(value)
        else:
            data[name] = value.as_posix() if isinstance(value, PurePath) else value
    return data


def _section(section: BaseModel, path: tuple[str, ...], found: Mapping[tuple[str, ...], str]) -> Iterator[str]:
    inner: list[tuple[str, Any]] = []
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel | dict):
            inner.append((name, value))
            continue
        source = found.get((*path, name))
        note = f"  # {' '.join(source.split())}" if source else ""
        text = _secret_or_text(name, field, value)
        lines.append(f"# {name} is absent" if value is None else f"{name} = {text}{note}")
    if lines:
        yield f"\n[{'.'.join(path)}]"
        yield from lines
    for name, value in inner:
        if isinstance(value, BaseModel):
            yield from _section(value, (*path, name), found)
            continue
        for key, entry in value.items():
            yield from _section(entry, (*path, name, key), found)


def _secret_or_text(name: str, field: FieldInfo, value: object) -> str:
    if SECRET_NAME.search(name):
        return f'"{HIDDEN}"'
    if is_duration(field) and isinstance(value, float):
        return f'"{duration_text(value)}"'
    return toml_value(value)


def is_duration(field: FieldInfo) -> bool:
    """Whether a number of seconds is written with its unit in the file."""
    return any(getattr(mark, "func", None) is parse_duration for mark in field.metadata)


def toml_value(value: object) -> str:
    """A value as one writes it in TOML."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{int(value)}.0" if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (tuple, list, frozenset)):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value.as_posix() if isinstance(value, PurePath) else str(value), ensure_ascii=False)


def duration_text(seconds: float) -> str:
    """Seconds with the largest unit that leaves a whole number: "30m"; exact to the nanosecond."""
    ns = round(seconds * 1e9)
    if ns == 0:
        return "0s"
    for unit, size in UNITS.items():
        if ns % size == 0:
            return f"{ns // size}{unit}"
    return f"{Decimal(ns) / UNITS['ms']:f}ms"
