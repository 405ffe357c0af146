"""docs/reference: made from the code, complete, and the same as what is checked in."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from pydantic import BaseModel, ConfigDict, Field

from monitor.alerts.topics import KINDS, TOPICS
from monitor.config import Settings
from monitor.metrics.table import METRICS
from monitor.reference.settings import settings_page
from monitor.reference.text import table
from monitor.reference.write import differences, reference, write_reference
from monitor.venues.registry import VENUES

CHECKED_IN = Path(__file__).parents[3] / "docs" / "reference"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return reference()


def test_what_is_checked_in_is_what_the_code_makes() -> None:
    assert differences(CHECKED_IN) == [], "run: undertow docs --out docs/reference"


def test_it_is_the_same_twice(made: dict[str, str]) -> None:
    assert reference() == made


def test_writing_and_comparing(tmp_path: Path) -> None:
    written = write_reference(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in written} == set(reference())
    assert differences(tmp_path) == []
    (tmp_path / "metrics.md").write_text("other")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "old.md").write_text("")
    assert differences(tmp_path) == ["old.md: nothing makes it", "metrics.md: differs", "asyncapi.json: missing"]
    assert len(differences(tmp_path / "nowhere")) == len(written)


def test_every_table_has_rows_of_one_width(made: dict[str, str]) -> None:
    for name, text in made.items():
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
            assert len(widths) == 1, (name, block)


def test_every_metric_stands_in_its_place(made: dict[str, str]) -> None:
    exported, coming = made["metrics.md"].split("## Not exported yet")
    for metric in METRICS:
        assert (f"| `{metric.full_name}` | {metric.kind} |" in exported) == metric.exported
        assert (f"| `{metric.full_name}` | {metric.kind} |" in coming) != metric.exported


def test_every_topic_and_schema(made: dict[str, str]) -> None:
    for row in TOPICS:
        assert f"| `{row.template}` | {'yes' if row.retained else 'no'} | {row.qos} |" in made["topics.md"]
        assert f"schemas/{row.schema}.json" in made
    for kind in KINDS:
        assert f"`{kind}`" in made["topics.md"]
    for name, text in made.items():
        if name.startswith("schemas/"):
            jsonschema.Draft202012Validator.check_schema(json.loads(text))


def resolve(document: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def test_asyncapi_says_what_the_table_says(made: dict[str, str]) -> None:
    document = json.loads(made["asyncapi.json"])
    assert document["asyncapi"] == "3.0.0"
    for found in references(document):
        if found.startswith("#/"):
            assert resolve(document, found)
        else:
            assert found in made
    for row in TOPICS:
        channel = document["channels"][row.name]
        assert channel["address"] == f"undertow/v1/{row.template}"
        assert set(channel["parameters"]) == set(re.findall(r"{(\w+)}", row.template))
        operation = document["operations"][f"send_{row.name}"]
        assert operation["action"] == "send"
        binding = operation["bindings"]["mqtt"]
        assert (binding["qos"], binding["retain"]) == (row.qos, row.retained)
        assert binding.get("messageExpiryInterval") == row.expiry_seconds
        assert document["components"]["messages"][row.name]["contentType"] == row.content_type


def test_every_setting(made: dict[str, str]) -> None:
    text = made["settings.md"]
    for section, field in Settings.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            for name, key in inner.model_fields.items():
                if not (isinstance(key.annotation, type) and issubclass(key.annotation, BaseModel)):
                    assert f"`UNDERTOW__{section.upper()}__{name.upper()}`" in text
    assert "## [venues.<name>]" in text
    assert '| `floor_settle` | duration ("30m", "500ms") | `"30m"` |' in text
    assert '| `listen` | text | `"127.0.0.1:9464"` |' in text
    for line in text.splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|   |"), f"this setting says nothing about itself: {line}"


class Colour(StrEnum):
    RED = "red"


class Inner(BaseModel):
    """What the inner section is about."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    needed: int
    """Must be there."""
    path: Path = Path("a/b")
    """Where | it goes."""
    choice: Literal["x", "y"] | None = None
    """One of two."""
    colour: Colour = Colour.RED
    """A member."""
    share: Annotated[float, Field(ge=0, le=1)] = 0.25
    """How much."""


class Outer(BaseModel):
    inner: Inner
    many: list[Inner] = []
    named: dict[str, Inner] = {}


def test_settings_of_any_model() -> None:
    text = settings_page(Outer)
    for heading in ("## [inner]", "## [[many]]", "## [named.<name>]"):
        assert heading in text
    assert "What the inner section is about." in text
    assert "| `needed` | whole number | required | `UNDERTOW__INNER__NEEDED` | Must be there. |" in text
    assert '| `path` | path | `"a/b"` | `UNDERTOW__NAMED__<NAME>__PATH` | Where \\| it goes. |' in text
    assert '| `choice` | `"x"`, `"y"` | absent |' in text
    assert "| `colour` |" in text
    assert '`"red"`' in text
    assert "| `share` | number, at least 0, at most 1 | `0.25` |" in text


def test_every_venue(made: dict[str, str]) -> None:
    for name, venue in VENUES.items():
        line = next(line for line in made["venues.md"].splitlines() if f"| `{name}` |" in line)
        assert venue.title in line
        assert ("book, trades, liquidations" in line) == (venue.liquidation_coverage != "none")
        assert f"| {venue.liquidation_coverage} |" in line
        assert venue.checked.isoformat() in line


def test_cells_cannot_break_a_table() -> None:
    assert table(("a",), [("x|y\nz",), ("",)]).splitlines()[2:] == ["| x\\|y z |", "|   |"]
