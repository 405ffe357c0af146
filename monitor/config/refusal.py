"""How a setting is refused: one line with the place, the key, what is wrong, and the nearest key there is."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NoReturn, get_args, get_origin

from pydantic import BaseModel, ValidationError

from monitor.config.model import Settings
from monitor.errors import SettingsError

Found = dict[tuple[str, ...], str]  # key path -> the file or variable that set it

MAX_SHOWN: Final = 60  # characters of a wrong key or value that are repeated
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def refuse(source: str, what: str) -> NoReturn:
    raise SettingsError(one_line(f"{source}: {what}"))


def one_line(text: str) -> str:
    """Names of files and variables may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def dotted(path: Sequence[str]) -> str:
    """The key as TOML spells it, on one line whatever it holds."""
    return ".".join(part if _BARE.fullmatch(part) else json.dumps(part) for part in (key[:MAX_SHOWN] for key in path))


def nearest(key: str, known: Iterable[str], path: tuple[str, ...]) -> str:
    """ "; did you mean ...?": a key of this section that is spelt alike, or one of that name in another section (HTTP_LISTEN is http.listen)."""
    names = sorted(known)
    close = difflib.get_close_matches(key.lower()[:MAX_SHOWN], names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {dotted((*path, close[0]))}?"
    elsewhere = [other for other in _all_keys(Settings, ()) if key in (other[-1], "_".join(other))]
    if elsewhere:
        return f"; did you mean {dotted(elsewhere[0])}?"
    close = difflib.get_close_matches(key.lower()[:MAX_SHOWN], names, n=1, cutoff=0.3)
    return (f"; the nearest is {dotted((*path, close[0]))}" if close else "") + f"; known here: {', '.join(names)}"


def _all_keys(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        yield (*path, name)
        inner = field.annotation
        if get_origin(inner) is dict:
            yield from _all_keys(get_args(inner)[1], (*path, name, "<name>"))
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _all_keys(inner, (*path, name))


def source_of(path: Sequence[str], found: Found) -> str:
    """Where the key, or the innermost section around it that was set at all, comes from."""
    return next((found[tuple(path[:n])] for n in range(len(path), 0, -1) if tuple(path[:n]) in found), "settings")


def refuse_validation(error: ValidationError, found: Found) -> NoReturn:
    """The first thing pydantic has to say, in our words."""
    errors = error.errors(include_url=False, include_context=False)
    path = _key_of(errors[0]["loc"], found)
    if errors[0]["type"] == "missing":
        path = tuple(str(part) for part in errors[0]["loc"])
        refuse(source_of(path, found), f"{dotted(path)} is missing")
    # A union answers once for each of its branches.
    said = dict.fromkeys(_said(e["msg"]) for e in errors if _key_of(e["loc"], found) == path)
    value = errors[0]["input"]
    refuse(source_of(path, found), f"{dotted(path)}: {', or '.join(said)}{_shown(value)}")


def _key_of(loc: Sequence[int | str], found: Found) -> tuple[str, ...]:
    """The setting a location lies in: branches of unions and places in lists are no keys."""
    path = tuple(str(part) for part in loc)
    return next((path[:n] for n in range(len(path), 0, -1) if path[:n] in found), path)


def _said(message: str) -> str:
    return (
        message.removeprefix("Value error, ").removeprefix("Input ").replace("tuple", "list").replace("Tuple", "a list")
    )


def _shown(value: Any) -> str:
    """The value that is wrong; not where a user may have put a password into an address."""
    if isinstance(value, dict | BaseModel) or (isinstance(value, str) and "@" in value):
        return ""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return f", not {text[:MAX_SHOWN]}{'...' if len(text) > MAX_SHOWN else ''}"
