"""JSON as text: every number keeps its spelling, every object knows which of its keys came twice.

The standard library's parser, because faster ones turn numbers into floats and silently keep the last of two equal keys.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from engines.wire.errors import WireError, shown
from engines.wire.grammar import Nth, Path


class Number(str):
    """A bare JSON number, as it was spelt."""

    __slots__ = ()


class Object(dict[str, Any]):
    """A JSON object. `twice`: keys that stood more than once."""

    __slots__ = ("twice",)
    twice: frozenset[str]


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
_NONE_TWICE: Final[frozenset[str]] = frozenset()


def _object(pairs: list[tuple[str, Any]]) -> Object:
    made = Object(pairs)
    if len(made) == len(pairs):
        made.twice = _NONE_TWICE
    else:
        seen: set[str] = set()
        made.twice = frozenset(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return made


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=Number, parse_float=Number, parse_constant=_no_constant, strict=True
)


def parse(frame: bytes) -> Any:
    """The root value of a frame.

    Raises:
        WireError: `syntax`: not UTF-8, not JSON, or nested beyond what the parser follows.
    """
    try:
        return _decoder.decode(frame.decode("utf-8"))
    except RecursionError:
        raise WireError("syntax", "frame", "nested too deeply") from None
    except ValueError as error:
        raise WireError("syntax", "frame", f"{error} in {shown(frame)}") from None


def spell(path: Path) -> str:
    """A path for people: ("data", 0, "asks") is `data[0].asks`; a path that begins with an element is `frame[1]`."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if text else step
        else:
            text = f"{text or 'frame'}[{step.index if isinstance(step, Nth) else step}]"
    return text or "frame"


def follow(root: Any, path: Path, base: Path = ()) -> Any:
    """The value at `path` below `root` (which stands at `base`), or MISSING.

    Raises:
        WireError: `shape` where a step meets another kind of value, `duplicate` where its key stands twice.
    """
    value = root
    for index, step in enumerate(path):
        if isinstance(step, str):
            if not isinstance(value, Object):
                raise WireError("shape", spell(base + path[:index]), f"an object belongs here, got {shown(value)}")
            if step in value.twice:
                raise WireError("duplicate", spell(base + path[: index + 1]), "the key stands twice in one object")
            if step not in value:
                return MISSING
            value = value[step]
        elif isinstance(step, Nth):
            if not isinstance(value, list):
                raise WireError("shape", spell(base + path[:index]), f"an array belongs here, got {shown(value)}")
            if len(value) <= step.index:
                return MISSING
            value = value[step.index]
        else:
            if not isinstance(value, list) or len(value) != 1:
                raise WireError(
                    "shape", spell(base + path[:index]), f"an array of one element belongs here, got {shown(value)}"
                )
            value = value[0]
    return value


def require(root: Any, path: Path, base: Path = ()) -> Any:
    """Like `follow`, for what must be there.

    Raises:
        WireError: `missing`, and those of `follow`.
    """
    value = follow(root, path, base)
    if value is MISSING:
        raise WireError("missing", spell(base + path), "the field is not there")
    return value
