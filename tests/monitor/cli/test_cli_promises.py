"""What stands in help, Makefile and constraints is true."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from rich.console import Console

from monitor.cli import app as cli
from monitor.cli import loading
from monitor.cli.addresses import reachable
from monitor.cli.console import print_table
from monitor.cli.names import need_known
from monitor.cli.times import span
from monitor.errors import SettingsError

ROOT = Path(__file__).parents[3]
EXAMPLES = [line for _, _, examples in cli.COMMANDS for line, _ in examples]
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()


def parse(line: str) -> None:
    """Parse one command line as the shell and the command would, without running it."""
    words = [word for word in shlex.split(re.split(r"\||&&", line)[0]) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    assert words[0] == "undertow", line
    command = typer.main.get_command(cli.app).commands[words[1]]  # type: ignore[attr-defined]
    command.make_context(words[1], words[2:])


@pytest.mark.parametrize("line", [line for line in EXAMPLES if not line.startswith("curl ")])
def test_every_example_is_a_command_there_is(line: str) -> None:
    parse(line)


def test_every_command_in_the_makefile_and_the_readme_is_one_there_is() -> None:
    made = re.findall(r"^\t\$\(BIN\)/(undertow .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = re.findall(
        r"^    (?:\S+=\S+ )*(undertow [a-z].*?)(?: +#.*)?$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert len(made) >= 3
    for line in [*made, *shown]:
        parse(line)


def test_examples_fit_on_a_line() -> None:
    for line in EXAMPLES:
        assert len(line) <= 110, line


def test_constraints_are_names_and_versions_and_what_is_installed() -> None:
    pinned = {}
    for line in CONSTRAINTS:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)==([0-9][A-Za-z0-9.+!-]*)", line)
        assert match, f"{line}: no addresses, no paths, no ranges"
        pinned[re.sub(r"[-_.]+", "-", match[1]).lower()] = match[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in (*project["dependencies"], *project["optional-dependencies"]["test"]):
        found = re.match(r"[A-Za-z0-9_.-]+", requirement)
        assert found is not None
        name = re.sub(r"[-_.]+", "-", found[0]).lower()
        assert version(name) == pinned[name], f"{name}: run make constraints"


def test_the_makefile_is_one_and_knows_its_targets() -> None:
    make = shutil.which("make")
    assert make is not None
    listed = subprocess.run([make, "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "run", "test", "lint", "bench", "docs", "image", "constraints", "clean"):
        assert re.search(rf"^{target}\s+\S", listed, re.MULTILINE)
        subprocess.run([make, "--dry-run", target], cwd=ROOT, capture_output=True, check=True)


def test_slow_loading_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    told = threading.Event()
    monkeypatch.setattr(loading, "SLOW_SECONDS", 0.0)
    with loading.loading(lambda text: told.set()):
        assert told.wait(10)
    quick: list[str] = []
    monkeypatch.setattr(loading, "SLOW_SECONDS", 60.0)
    with loading.loading(quick.append):
        pass
    assert quick == []
    monkeypatch.setattr(loading, "err", lambda: Console(file=stream, width=200))
    stream = io.StringIO()
    loading.say("compiling")
    assert stream.getvalue() == "compiling\n"


def test_small_things(capsys: pytest.CaptureFixture[str]) -> None:
    assert reachable("http://0.0.0.0:9464/") == "http://127.0.0.1:9464/"
    assert reachable("ws://[::]:1") == "ws://[::1]:1"
    assert reachable("http://10.0.0.0:80") == "http://10.0.0.0:80"
    assert span(0, 3_725_000_000_000) == "1970-01-01 00:00:00 to 1970-01-01 01:02:05 UTC (1 h 02 min)"
    need_known("--venue", "a", ["a", "b"])
    with pytest.raises(SettingsError, match="--venue: unknown name 'zzz'; there are a, b"):
        need_known("--venue", "zzz", ["a", "b"])
    print_table(("", ""), [("[bold]a", "b")])
    assert capsys.readouterr().out.split() == ["[bold]a", "b"]
