"""Commands that are started here end here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cli_rig import Run, Running, capture, undertow

from monitor import logs
from monitor.cli import main


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """start("run", "-c", file): a command that goes on."""
    running: list[Running] = []

    def begin(*arguments: str | Path, env: dict[str, str] | None = None) -> Running:
        running.append(Running(arguments, tmp_path, env))
        return running[-1]

    yield begin
    for each in running:
        each.close()


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording made by the importer from a capture of four seconds."""
    folder = tmp_path_factory.mktemp("recording")
    source = capture(folder / "btcusdt.txt")
    done = undertow("import", "hftbacktest", source, "--out", folder / "btcusdt.mcap", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "btcusdt.mcap"


@pytest.fixture
def run(own_logs: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A command in this process, in a folder of its own, without settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERMINAL_WIDTH", "200")
    monkeypatch.setattr(
        "monitor.cli.loading.SLOW_SECONDS", 600.0
    )  # a cold kernel cache says so: see test_slow_loading_is_said
    for name in [name for name in os.environ if name.upper().startswith("UNDERTOW_")]:
        monkeypatch.delenv(name)

    def go(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.fixture
def own_logs() -> Iterator[None]:
    """Logging as it was before, whatever the test configures."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    quiet = {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    logs.close()
    logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level
    for name, before in quiet.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
