"""Whatever stands in a file or a variable: Settings or SettingsError of one line, nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from config_values import VALUES, keys, variable
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Settings, load_settings
from monitor.config.text import as_toml, duration_text, toml_value
from monitor.config.values import parse_duration
from monitor.errors import SettingsError

KNOWN = sorted({part for key in keys() for part in key})
WORDS = st.one_of(st.sampled_from(KNOWN), st.text(max_size=8))
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=12),
    st.sampled_from([value for _, value, _ in VALUES.values()]),
    st.sampled_from(["0s", "9" * 400 + "d", "1%", "٣m", "1_0%", "mqtt://a@b", "127.0.0.1:٣", "x" * 5_000]),
)
VALUE = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
TREE = st.recursive(VALUE, lambda inner: st.dictionaries(WORDS, inner, max_size=4), max_leaves=12)


def quoted(text: str) -> str:
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


def written(value: Any) -> str:
    """Any tree as inline TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, str):
        return quoted("".join(c for c in value if not 0xD800 <= ord(c) < 0xE000))
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


def try_to_load(content: bytes, environ: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fuzz.toml"
        path.write_bytes(content)
        try:
            loaded = load_settings([path], environ)
        except SettingsError as error:
            refused = str(error)
        else:
            refused = None
        if refused is not None:
            assert refused.isprintable()
            assert 0 < len(refused) < 1_000
            return
        assert isinstance(loaded, Settings)
        path.write_text(as_toml(loaded, {}), encoding="utf-8")
        assert load_settings([path], {}) == loaded


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from([*KNOWN, "x"]), TREE, max_size=4))
def test_trees(tree: dict[str, Any]) -> None:
    text = "\n".join(f"{quoted(key)} = {written(value)}" for key, value in tree.items())
    try_to_load(text.encode(), {})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(VALUES)), VALUE, st.sampled_from(sorted(VALUES)), st.text(max_size=20))
def test_one_value_at_a_known_key(key: str, value: Any, other: str, text: str) -> None:
    try_to_load(f"{key} = {written(value)}".encode(), {variable(other): text})


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_bytes(content: bytes) -> None:
    try_to_load(content, {})


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_variables(name: str, text: str) -> None:
    try_to_load(b"", {f"UNDERTOW__{name}": text})


@given(st.integers(0, 366 * 86_400 * 1_000))
def test_durations_come_back(milliseconds: int) -> None:
    seconds = milliseconds / 1_000
    assert parse_duration(duration_text(seconds)) == seconds


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20)))
def test_values_come_back(value: object) -> None:
    import tomllib

    if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 or ord(c) == 0x7F for c in value):
        return
    back = tomllib.loads(f"v = {toml_value(value)}")["v"]
    assert back == value
    assert type(back) is type(value)
