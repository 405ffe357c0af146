"""From files and variables to Settings, remembering where each key was set so that a refusal can name it."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from monitor.config.checks import check_together, check_venues
from monitor.config.model import Settings
from monitor.config.refusal import Found, dotted, nearest, refuse, refuse_validation
from monitor.venues.registry import VENUES

ENV_PREFIX: Final = "UNDERTOW__"
MAX_FILE_BYTES: Final = 4 << 20  # a thousand symbols of twenty venues are 400 KB; more is not a settings file


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and where each key that is no default was set: (section, key) -> file or variable."""

    settings: Settings
    found: Mapping[tuple[str, ...], str]


def load_settings(files: Sequence[Path], environ: Mapping[str, str] | None = None) -> Settings:
    """Settings of `files` in order (later ones win) and of UNDERTOW__ variables (they win over files).

    Raises:
        SettingsError: names the file or variable, the key, what is wrong and the nearest known key.
    """
    return load(files, environ).settings


def load(files: Sequence[Path], environ: Mapping[str, str] | None = None) -> Loaded:
    """The same, with the places. `environ` None: of this process."""
    merged: dict[str, Any] = {}
    found: Found = {}
    for path in files:
        _merge(merged, _read_toml(path), (), str(path), found)
    for name, keys, text in _variables(os.environ if environ is None else environ):
        _merge(merged, _nested(keys, _read_variable(keys, text)), (), name, found)
    _refuse_unknown(Settings, merged, (), found)
    try:
        settings = Settings.model_validate(_frozen(merged), strict=True)
    except ValidationError as error:
        refuse_validation(error, found)
    check_venues(settings, found)
    check_together(settings, found)
    return Loaded(settings, found)


# -- files
def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        refuse(str(path), "no such file")
    except (OSError, ValueError) as error:
        refuse(str(path), f"cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(raw) > MAX_FILE_BYTES:
        refuse(str(path), f"larger than {MAX_FILE_BYTES >> 20} MiB: not a settings file")
    try:
        return tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        refuse(str(path), "not a text file in UTF-8")
    except (ValueError, RecursionError) as error:  # ValueError: also numbers of thousands of digits
        refuse(str(path), f"not valid TOML: {error}")


# -- variables
def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(name, keys, text) of ours, in the order of their names.

    UNDERTOW_PORT and the like are let pass: Kubernetes sets them for a service called undertow.
    """
    for name, text in sorted(environ.items()):
        upper = name.upper()
        if upper.startswith("UNDERTOW_") and "__" in upper and not upper.startswith(ENV_PREFIX):
            refuse(name, f"unknown variable; did you mean {ENV_PREFIX}{upper.removeprefix('UNDERTOW_')}?")
        if upper.startswith(ENV_PREFIX):
            yield name, tuple(part.lower() for part in name[len(ENV_PREFIX) :].split("__")), text


def _read_variable(keys: tuple[str, ...], text: str) -> Any:
    """The value of a variable: as TOML would read it; a text needs no quotes, and a list may be "a, b" without brackets."""
    annotation = _annotation(keys)
    if _holds(annotation, (tuple,)) and not text.lstrip().startswith("["):
        return [_toml_value(part.strip()) for part in text.split(",") if part.strip()]
    value = _toml_value(text)
    if _holds(annotation, (str, Path)) and not isinstance(value, str):
        return text  # a user or a file may be called 007
    return value


def _toml_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"v = {text}")
    except (ValueError, RecursionError):
        return text
    return parsed["v"] if len(parsed) == 1 else text


def _annotation(keys: tuple[str, ...]) -> Any:
    """The type of a setting; None where there is none of that name."""
    annotation: Any = Settings
    for key in keys:
        section = _section_of(annotation)
        if section is None:
            return None
        model, table = section
        if table:
            annotation = model
        elif key in model.model_fields:
            annotation = model.model_fields[key].annotation
        else:
            return None
    return annotation


def _holds(annotation: Any, kinds: tuple[type, ...]) -> bool:
    """Whether the annotation is, or allows, one of these types."""
    if get_origin(annotation) in (Union, UnionType):
        return any(_holds(part, kinds) for part in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return _holds(get_args(annotation)[0], kinds)
    return (get_origin(annotation) or annotation) in kinds


def _nested(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return value  # type: ignore[no-any-return]


# -- both
def _merge(into: dict[str, Any], new: Mapping[str, Any], path: tuple[str, ...], source: str, found: Found) -> None:
    for key, value in new.items():
        here = (*path, key)
        found[here] = source
        if isinstance(value, Mapping):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value, here, source, found)
        else:
            into[key] = value


def _frozen(value: Any) -> Any:
    """Lists as tuples: the settings hold nothing that can be changed."""
    if isinstance(value, dict):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _section_of(annotation: Any) -> tuple[type[BaseModel], bool] | None:
    """(model, is a table of them) where an annotation holds a section or a table of sections."""
    if get_origin(annotation) is dict:
        return get_args(annotation)[1], True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None


def _refuse_unknown(model: type[BaseModel], data: Mapping[str, Any], path: tuple[str, ...], found: Found) -> None:
    for key, value in data.items():
        here = (*path, key)
        if key not in model.model_fields:
            refuse(found[here], f"unknown key {dotted(here)}{nearest(key, model.model_fields, path)}")
        section = _section_of(model.model_fields[key].annotation)
        if section is None:
            continue
        _need_section(value, here, found)
        inner, table = section
        if not table:
            _refuse_unknown(inner, value, here, found)
            continue
        for name, entry in value.items():
            if name not in VENUES:
                refuse(found[(*here, name)], f"unknown venue {dotted((name,))}{nearest(name, VENUES, here)}")
            _need_section(entry, (*here, name), found)
            _refuse_unknown(inner, entry, (*here, name), found)


def _need_section(value: Any, path: tuple[str, ...], found: Found) -> None:
    if not isinstance(value, Mapping):
        refuse(found[path], f"{dotted(path)} is a section [{dotted(path)}], not a value")
