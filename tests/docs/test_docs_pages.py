"""README and docs: what they name exists, what they link to is there, what they show is what the code makes."""

from __future__ import annotations

import importlib
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import jsonschema
import pytest
import typer
from docs_pages import REFERENCE, ROOT, WRITTEN, anchors, blocks, code_spans, indented, prose
from pydantic import BaseModel

from engines.book.reader import Reason as BookReason
from monitor.alerts.broker import BrokerFault
from monitor.alerts.payloads import schemas
from monitor.alerts.rules import cascade_risk, feed_fault
from monitor.alerts.settings import CascadeRiskSettings
from monitor.alerts.topics import KINDS, TOPICS
from monitor.capture.recording_set import LOST_CONNECTION
from monitor.cascade_views import MAP_SCALES
from monitor.cli.app import app
from monitor.config import Settings, load_settings
from monitor.feed.faults import FaultKind
from monitor.feed.reasons import Reason
from monitor.metrics.table import METRICS
from monitor.venues.registry import VENUES

README, RUNBOOK, ARCHITECTURE, VENUES_PAGE = (
    ROOT / "README.md",
    ROOT / "docs" / "runbook.md",
    ROOT / "docs" / "architecture.md",
    ROOT / "docs" / "venues.md",
)
EVERY = pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
MAX_PICTURE_BYTES = 300_000
# What the pages may speak of: this machine, and hosts that do not exist.
HOSTS = {"127.0.0.1", "localhost", "api.tide.example", "stream.tide.example", "host", "broker", "mosquitto"}


# -- links and pictures
@EVERY
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(found), f"{page.name}: {target}"


@EVERY
def test_pages_are_reached_from_the_readme(page: Path) -> None:
    linked = {(README.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", prose(README))}
    # The benchmarks are told by whoever runs them: linked from there or from here.
    assert page in {README, *linked} or page.name == "benchmarks.md"


def test_the_picture_is_a_small_png() -> None:
    data = (ROOT / "docs" / "img" / "page.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(data) < MAX_PICTURE_BYTES
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 1000
    assert height >= 600


@EVERY
def test_no_page_names_other_hosts_or_folders_of_a_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for url in re.findall(r"\b(?:https?|wss?|mqtts?)://[^\s`\"')>]+", text):
        assert urlsplit(url).hostname in HOSTS, f"{page.name}: {url}"
    assert not re.search(r"(?<![\w./])/(?:home|root|work|opt|Users|mnt)\b", text)


# -- commands
def command_lines(page: Path) -> Iterator[list[str]]:
    """Words of every `undertow ...` in the page's code, from the subcommand on."""
    shell = [line for block in blocks(page) if block.language in ("", "sh") for line in block.body.splitlines()]
    for line in [*indented(page), *code_spans(page), *shell]:
        for found in re.finditer(r"(?:^|\s)undertow ((?:\w|-)+(?: [^#|&;]*)?)", line.split(" #")[0]):
            words = found[1].split()
            if words[0] in COMMANDS or not line.startswith(("undertow:", "docker", "[")):
                yield words


ROOT_COMMAND: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = ROOT_COMMAND.commands


def options(command: str) -> set[str]:
    return {name for param in COMMANDS[command].params for name in param.opts} | {"--help", "-h"}


@EVERY
def test_every_command_and_option_exists(page: Path) -> None:
    for words in command_lines(page):
        assert words[0] in COMMANDS, f"{page.name}: undertow {' '.join(words)}"
        for word in words[1:]:
            if word.startswith("-"):
                assert word.partition("=")[0] in options(words[0]), f"{page.name}: undertow {' '.join(words)}"


def test_the_readme_has_every_command() -> None:
    table = re.findall(r"^\| `undertow ([\w-]+)` \|", prose(README), re.MULTILINE)
    assert table
    assert set(table) == set(COMMANDS)
    lines = list(command_lines(README))
    assert {words[0] for words in lines} == set(COMMANDS)
    said = re.search(r"with examples; (.*) have `--json`", prose(README).replace("\n", " "))
    assert said is not None
    assert set(re.findall(r"`([\w-]+)`", said[1])) == {name for name in COMMANDS if "--json" in options(name)}


@EVERY
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in [*indented(page), *code_spans(page)]:
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets, f"{page.name}: make {target}"


def test_scenarios_in_commands_exist() -> None:
    from monitor.simulator.scenarios import SCENARIOS

    named = [name for page in WRITTEN for name in re.findall(r"--scenario (\w+)", page.read_text(encoding="utf-8"))]
    assert named
    assert set(named) <= set(SCENARIOS)


# -- names of the contract
@EVERY
def test_every_metric_is_exported(page: Path) -> None:
    exported = {metric.full_name for metric in METRICS if metric.exported}
    for name in re.findall(r"\bundertow_[a-z0-9_]+", page.read_text(encoding="utf-8")):
        assert name in exported, f"{page.name}: {name}"


def settings_keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield ".".join((*path, name))
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_keys(field.annotation, (*path, name))


@EVERY
def test_every_setting_exists(page: Path) -> None:
    keys = set(settings_keys(Settings))
    for span in code_spans(page):
        found = re.fullmatch(r"([a-z_]+)\.([a-z_]+)", span)
        if found and found[1] in Settings.model_fields:
            assert span in keys, f"{page.name}: {span}"
        for section in re.findall(r"^\[([a-z_]+)", span):
            assert section in Settings.model_fields, f"{page.name}: {span}"


@EVERY
def test_every_variable_is_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, value in re.findall(r"\b(UNDERTOW__[A-Z_]+)=(\S+)", text):
        load_settings((), {name: value})


@EVERY
def test_every_file_and_folder_exists(page: Path) -> None:
    shown = {block.label for block in blocks(page)} | {"docs/benchmarks.md"}
    for span in code_spans(page):
        found = re.fullmatch(r"((?:engines|monitor|tests|docs|configs|deploy)/[\w./-]+)", span)
        if found and span not in shown:
            assert (ROOT / span).exists(), f"{page.name}: {span}"


@EVERY
def test_every_topic_is_one(page: Path) -> None:
    patterns = [re.escape(row.template).replace(r"\{", "{").replace(r"\}", "}") for row in TOPICS]
    regexes = [re.compile(re.sub(r"{\w+}", r"[^/]+", pattern)) for pattern in patterns]
    for topic in re.findall(r"undertow/v1/([\w{}/#.+-]+)", page.read_text(encoding="utf-8")):
        whole = topic.rstrip("./#")
        known = any(regex.fullmatch(whole) for regex in regexes)
        assert known or any(row.template.startswith(whole + "/") for row in TOPICS), f"{page.name}: {topic}"


@EVERY
def test_every_http_address_is_served(page: Path) -> None:
    served = set(re.findall(r'web\.get\("([^"]+)"', (ROOT / "monitor" / "web" / "server.py").read_text()))
    text = page.read_text(encoding="utf-8")
    asked = {span for span in code_spans(page) if re.fullmatch(r"/(livez|readyz|metrics|api/[\w/{}-]+)", span)}
    asked |= {urlsplit(url).path for url in re.findall(r"http://127\.0\.0\.1:9464[\w/]*", text)} - {""}
    assert asked <= served


@EVERY
def test_every_kind_of_alert_is_one(page: Path) -> None:
    for span in code_spans(page):
        if re.fullmatch(r"(?:liquidation|depth|feed|cascade|level|market|options)_(?:burst|drought|fault|risk)", span):
            assert span in KINDS


# -- what is shown
def test_payloads_are_as_their_schemas_say() -> None:
    shown = [block for page in WRITTEN for block in blocks(page) if block.language == "json"]
    assert shown
    for block in shown:
        jsonschema.Draft202012Validator(schemas()[block.label]).validate(json.loads(block.body))


UNITS = {"": 1, "s": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def test_the_table_of_bounds_is_what_the_code_says() -> None:
    rows = re.findall(r"^\| `([\w.]+)\.(\w+)` \| ([\d,]+) ?(\w*) \|", prose(ARCHITECTURE), re.MULTILINE)
    assert len(rows) > 30
    for module, name, number, unit in rows:
        value = getattr(importlib.import_module(module), name)
        wanted = int(number.replace(",", "")) * UNITS[unit]
        assert value in ({wanted, wanted * 1_000_000_000} if unit == "s" else {wanted}), f"{module}.{name}"


@EVERY
def test_dotted_names_exist(page: Path) -> None:
    for span in code_spans(page):
        if re.fullmatch(r"(?:engines|monitor)(?:\.\w+)+", span):
            assert exists(span), f"{page.name}: {span}"


def exists(dotted: str) -> bool:
    """A module, something a module defines, or a class told by its package (`engines.book.LiveBook`)."""
    parent, _, name = dotted.rpartition(".")
    folder = ROOT / parent.replace(".", "/")
    if (folder / f"{name}.py").is_file() or (folder / name).is_dir() or name in CLASSES:
        return True
    return hasattr(importlib.import_module(parent), name)


SOURCES = {
    path: path.read_text(encoding="utf-8") for top in ("engines", "monitor") for path in (ROOT / top).rglob("*.py")
}
CLASSES = {name for text in SOURCES.values() for name in re.findall(r"^class (\w+)", text, re.MULTILINE)}
FOREIGN = {"TaskGroup"}


@EVERY
def test_classes_that_are_named_exist(page: Path) -> None:
    shown = {name for block in blocks(page) for name in re.findall(r"^class (\w+)", block.body, re.MULTILINE)}
    for span in code_spans(page):
        for name in re.findall(r"^([A-Z]\w*[a-z]\w*[A-Z]\w*)\b", span):
            assert name in CLASSES | shown | FOREIGN, f"{page.name}: {name}"


# -- the runbook is complete
def runbook_table(heading: str) -> list[str]:
    """First cells of the table under a heading."""
    section = prose(RUNBOOK).split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)


HALTS = {"http_403", "http_418", "http_451", "refused", "unreachable"}


def test_the_runbook_has_every_reason_of_a_book() -> None:
    told = runbook_table("A book is not verified")
    assert {reason.replace("_", " ") for reason in get_args(BookReason) if reason} < set(told)
    source = (ROOT / "monitor" / "market.py").read_text()
    own = source.split("def _unverified", 1)[1].split("\n    def ", 1)[0]
    for text in re.findall(r'return f?"([^"{]+)', own):
        assert any(reason.startswith(text) for reason in told), text


def test_the_runbook_has_every_reason_of_a_connection_and_a_halt() -> None:
    assert set(runbook_table("A venue is halted")) == HALTS
    assert set(runbook_table("Why a connection ended")) == {reason.value for reason in Reason} - HALTS
    assert f"`{LOST_CONNECTION}`" in prose(RUNBOOK)


def test_the_runbook_has_every_fault() -> None:
    assert set(runbook_table("A topic is at fault")) == {kind.value for kind in FaultKind}
    assert set(runbook_table("Alerts do not arrive")) == {fault.value for fault in BrokerFault}
    said = re.findall(r'names\.append\("(\w+)"\)|\["(\w+)"\]', Path(feed_fault.__file__).read_text())
    assert set(runbook_table("The words of a `feed_fault` alert")) == {a or b for a, b in said}


def test_the_runbook_has_all_evidence_of_a_cascade_risk() -> None:
    source = Path(cascade_risk.__file__).read_text()
    scaled = {f"distance_ratio_{scale}" for scale in MAP_SCALES}
    assert 'evidence[f"distance_ratio_{scale}"]' in source
    rows = prose(RUNBOOK).split("## A `cascade_risk` alert", 1)[1].split("\n## ", 1)[0].splitlines()
    told = {name for row in rows if row.startswith("| `") for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told - {"evidence"} == set(re.findall(r'"(\w+)": Evidence\(', source)) | scaled
    keys = set(CascadeRiskSettings.model_fields)
    assert {"open_sigmas", "open_share_ratio", "floor_usd", "open_hold_seconds"} <= keys


def test_the_runbook_has_every_reason_of_readiness() -> None:
    source = (ROOT / "monitor" / "web" / "payload.py").read_text()
    assert set(runbook_table("`/readyz` says 503")) == set(re.findall(r'reason = "([^"]+)"', source))


def test_what_the_runbook_quotes_is_said_somewhere() -> None:
    source = "".join(SOURCES.values())
    for said in runbook_table("The service does not start"):
        assert said in source, said


# -- venues
def test_every_venue_has_its_section_with_its_date() -> None:
    sections = dict(re.findall(r"^## [^\n]*\(`(\w+)`\)\n\nAs of (\S+)\.$", prose(VENUES_PAGE), re.MULTILINE))
    assert sections == {name: venue.checked.isoformat() for name, venue in VENUES.items()}


def test_the_reference_is_there() -> None:
    assert {path.name for path in REFERENCE.glob("*.md")} == {"metrics.md", "settings.md", "topics.md", "venues.md"}
