"""settings.md from a pydantic model of the settings: every key with its type, default, variable and what it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from monitor.config.text import duration_text, toml_value
from monitor.reference.text import code, page, table

INTRODUCTION = """
TOML files, in the order of `-c`, then environment variables; what comes later wins. Each key is also a variable: `UNDERTOW__`,
the section and the key in upper case, joined by two underscores. An unknown key or variable is refused before any connection,
with the nearest known one. `undertow check` prints what the settings come to.
"""

# How the constraints of JSON Schema read to a person.
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "maxLength": "at most {} characters",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file. `path` as in TOML; `<name>` stands for a key of the user's choosing."""

    path: tuple[str, ...]
    model: type[BaseModel]
    many: bool  # [[an array of tables]]


def settings_page(model: type[BaseModel], durations: tuple[object, ...] = ()) -> str:
    """The page. `durations`: annotation metadata that marks a number of seconds as written "30m" in the file."""
    parts = [INTRODUCTION]
    for section in _sections(model, (), False):
        rows = [_row(section, name, field, durations) for name, field in _plain_fields(section.model)]
        if not rows:
            continue
        opening, closing = ("[[", "]]") if section.many else ("[", "]")
        said = "" if section.model.__doc__ == BaseModel.__doc__ else _own_doc(section.model)
        title = f"## {opening}{'.'.join(section.path)}{closing}" if section.path else "## Top level"
        parts.append(
            "\n\n".join(
                filter(None, (title, said, table(("key", "type", "default", "variable", "what it does"), rows)))
            )
        )
    return page("Settings", *parts)


def _own_doc(model: type[BaseModel]) -> str:
    """The model's own docstring, not an inherited one."""
    doc = model.__dict__.get("__doc__")
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n")) if doc else ""


def _section_of(annotation: Any) -> tuple[type[BaseModel], str] | None:
    """The model inside an annotation and how it is held: "one", "named" (a table of tables) or "list"."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "one"
    if origin in {Union, UnionType, Annotated}:
        return next((found for part in get_args(annotation) if (found := _section_of(part))), None)
    if origin in {dict, Mapping} and (found := _section_of(get_args(annotation)[1])):
        return found[0], "named"
    if origin in {list, tuple} and get_args(annotation) and (found := _section_of(get_args(annotation)[0])):
        return found[0], "list"
    return None


def _sections(model: type[BaseModel], path: tuple[str, ...], many: bool) -> Iterator[Section]:
    yield Section(path, model, many)
    for name, field in model.model_fields.items():
        found = _section_of(field.annotation)
        if found is not None:
            inner, held = found
            further = (name, "<name>") if held == "named" else (name,)
            yield from _sections(inner, (*path, *further), held == "list")


def _plain_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    return ((name, field) for name, field in model.model_fields.items() if _section_of(field.annotation) is None)


def _row(section: Section, name: str, field: FieldInfo, durations: tuple[object, ...]) -> tuple[str, ...]:
    duration = any(mark is known for mark in field.metadata for known in durations)
    schema = section.model.model_json_schema()["properties"][name]
    variable = (
        "" if section.many else "UNDERTOW__" + "__".join((*section.path, name)).upper().replace("<NAME>", "*NAME*")
    )
    kind = 'duration ("30m", "500ms")' if duration else _kind(schema)
    return (
        code(name),
        kind,
        _default(field, duration),
        code(variable.replace("*NAME*", "<NAME>")),
        field.description or "",
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        kinds = [_kind(part) for part in schema["anyOf"]]
        return " or ".join(kind for kind in dict.fromkeys(kinds) if kind != "null")
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return ", ".join(code(json.dumps(choice)) for choice in schema["enum"])
    kind = str(schema.get("type", "value"))
    if kind == "array":
        items: Mapping[str, Any] = schema.get("items") or next(iter(schema.get("prefixItems", [])), {})
        kind = f"list of {_kind(items)}"
    else:
        kind = {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)
    if schema.get("format") in {"path", "file-path"}:
        kind = "path"
    bounds = [said.format(_plain(schema[key])) for key, said in BOUNDS.items() if key in schema]
    if "pattern" in schema:
        bounds.append(f"matching {code(schema['pattern'])}")
    return ", ".join([kind, *bounds])


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) and abs(number) < 1e6 else str(number)


def _default(field: FieldInfo, duration: bool) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else "empty"
    if field.default is None:
        return "absent"
    return code(f'"{duration_text(field.default)}"' if duration else toml_value(field.default))
