"""Help, exit codes, errors of one line, and the commands that connect to nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli_rig import COMMAND, Run, capture, environment, undertow

from monitor.cli.app import first_known, main
from monitor.errors import RecordingError, SettingsError
from monitor.reference.write import differences
from monitor.venues.registry import VENUES

# command -> the options it is known for
COMMANDS = {
    "run": ["--config"],
    "demo": ["--scenario", "--speed", "--seconds", "--seed"],
    "replay": ["--config", "--speed", "--alerts", "--digest", "--json"],
    "liquidation-price": ("--venue", "--symbol", "--side", "--leverage", "--wallet", "--tiers", "--url", "--json"),
    "record": ["--config", "--out"],
    "import": ["--out", "--venue", "--symbols", "--json"],
    "simulate": [
        "--scenario",
        "--recording",
        "--listen",
        "--write-config",
        "--venues",
        "--assets",
        "--seed",
        "--speed",
    ],
    "check": ["--config", "--json"],
    "venues": ["--json"],
    "watch": ["--url", "--config", "--json"],
    "what-if": ["--asset", "--curves", "--sell", "--buy", "--usd", "--url", "--json"],
    "docs": ["--out"],
}


def assert_one_line(err: str) -> None:
    assert err.startswith("undertow: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err


# -- help
def test_help_names_every_command_and_no_other(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    shown = {line.split()[1] for line in out.splitlines() if line.startswith("│ ") and len(line.split()) > 2}
    assert shown - {"--help", "--version"} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_its_options(command: str, run: Run) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Examples" in out
    assert f"undertow {command}" in out
    for option in (*COMMANDS[command], "--log-format", "--log-level"):
        assert option in out


def test_help_loads_nothing_heavy() -> None:
    heavy = (
        "numba",
        "numpy",
        "pydantic",
        "aiohttp",
        "aiomqtt",
        "structlog",
        "websockets",
        "monitor.config",
        "monitor.hub",
    )
    code = (
        f"import sys; from monitor.cli import main; main(['--help']); print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_entry_point_and_the_version(tmp_path: Path) -> None:
    from importlib.metadata import entry_points, version

    (script,) = entry_points(group="console_scripts", name="undertow")
    assert script.load() is main
    done = undertow("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"undertow {version('undertow')}\n")


# -- wrong use
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vens"], "Did you mean 'venues'?"),
        (["run", "--bogus"], "--bogus"),
        (["run", "--log-format", "xml"], "--log-format"),
        (["run", "-c", "nowhere.toml"], "nowhere.toml: no such file"),
        (["run"], "no venue is configured"),
        (["record", "--out", "x"], "no venue is configured"),
        (["record"], "--out"),
        (["replay"], "FILE.mcap"),
        (["replay", "x.mcap", "--speed", "fast"], "--speed"),
        (["replay", "x.mcap", "--speed", "0"], "--speed"),
        (["import", "csv", "x", "--out", "y"], "there are hftbacktest, cryptofeed, jsonl"),
        (["import", "cryptofed", "x", "--out", "y"], "did you mean cryptofeed?"),
        (["import", "jsonl", "x", "--out", "y", "--venue", "okx_swop"], "did you mean okx_swap?"),
        (["simulate"], "one of --scenario NAME and --recording FILE"),
        (["simulate", "--scenario", "calm", "--recording", "x"], "one of --scenario NAME and --recording FILE"),
        (["simulate", "--scenario", "calm", "--listen", "a b"], "--listen"),
        (["simulate", "--scenario", "cascad"], "there are: calm"),
        (["simulate", "--scenario", "calm", "--venues", "okx_swap,bybit_lin"], "did you mean bybit_linear?"),
        (["simulate", "--scenario", "calm", "--assets", "BTC,MOON"], "unknown name 'MOON'"),
        (["simulate", "--recording", "x", "--venues", "all"], "a recording has its own"),
        (["demo", "--scenario", "cascad"], "did you mean cascade?"),
        (["demo", "--speed", "0"], "--speed"),
        (["watch", "--url", "http://x:1"], "--url: an address of the form mqtt://host:port"),
        (["docs"], "--out"),
    ],
)
def test_wrong_use_is_one_line_and_2(arguments: list[str], said: str, run: Run) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert said in err
    assert_one_line(err)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "nowhere.mcap"], "nowhere.mcap cannot be read"),
        (["replay", "broken.mcap"], "broken.mcap"),
        (["replay", "."], "broken.mcap"),
        (["import", "hftbacktest", "nowhere", "--out", "y.mcap"], "nowhere cannot be read"),
        (["import", "hftbacktest", "broken.mcap", "--out", "y.mcap"], "broken.mcap"),
        (["simulate", "--recording", "nowhere.mcap"], "nowhere.mcap cannot be read"),
        (["docs", "--out", "broken.mcap"], "broken.mcap"),
    ],
)
def test_what_fails_at_run_time_is_one_line_and_1(arguments: list[str], said: str, run: Run) -> None:
    Path("broken.mcap").write_bytes(b"\x89MCAP0\r\nnot a recording")
    code, _, err = run(*arguments)
    assert code == 1
    assert said in err
    assert_one_line(err)


def test_errors_inside_groups_of_tasks_are_found() -> None:
    group = ExceptionGroup("tasks", [ExceptionGroup("inner", [SettingsError("port in use")])])
    assert first_known(group) == ("port in use", 2)
    assert first_known(RecordingError("broken")) == ("broken", 1)
    assert first_known(PermissionError(13, "Permission denied", "x")) == ("x: Permission denied", 1)
    assert first_known(ValueError("ours")) is None
    assert first_known(ExceptionGroup("tasks", [SettingsError("x"), ValueError("ours")])) is None


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, "check"], cwd=tmp_path, env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )  # fmt: skip
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


# -- venues
def test_venues_as_table_and_json(run: Run) -> None:
    code, out, _ = run("venues", "--json")
    assert code == 0
    rows = json.loads(out)["venues"]
    assert [row["venue"] for row in rows] == list(VENUES)
    for row in rows:
        venue = VENUES[row["venue"]]
        assert row["liquidation_coverage"] == venue.liquidation_coverage
        assert row["book_verification"] == venue.verification
        assert row["checked"] == venue.checked.isoformat()
        assert "book" in row["channels"]
    code, out, _ = run("venues")
    assert code == 0
    for row in rows:
        line = next(line for line in out.splitlines() if line.startswith(row["venue"]))
        for cell in (*row["channels"], row["book_verification"], row["liquidation_coverage"], row["checked"]):
            assert cell in line


# -- check
def test_check_prints_what_the_settings_come_to(run: Run) -> None:
    Path("password").write_text("hunter2\n")
    Path("desk.toml").write_text(
        "[mqtt]\nurl = 'mqtts://b.example:8883'\nusername = 'desk'\npassword_file = 'password'\nca_file = 'nowhere.pem'\n"
        "[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP', 'ETH-USDT-SWAP']\n"
    )
    code, out, err = run("check", "-c", "desk.toml")
    assert code == 0
    assert 'url = "mqtts://b.example:8883"  # desk.toml' in out
    assert 'floor_settle = "30m"\n' in out
    assert "okx_swap  BTC-USDT-SWAP" in out
    assert err == "note: mqtt.ca_file: nowhere.pem cannot be read now\n"
    assert "hunter2" not in out + err

    code, out, _ = run("check", "-c", "desk.toml", "--json")
    assert code == 0
    data = json.loads(out)
    assert data["markets"] == [{"venue": "okx_swap", "market": f"{coin}-USDT-SWAP"} for coin in ("BTC", "ETH")]
    assert data["settings"]["engine"]["floor_settle"] == "30m"
    assert data["settings"]["venues"]["okx_swap"]["lag_bound"] == "5s"
    assert data["set_in"]["mqtt.url"] == "desk.toml"
    assert data["notes"] == ["mqtt.ca_file: nowhere.pem cannot be read now"]


def test_check_without_a_venue_says_so(run: Run) -> None:
    code, _, err = run("check")
    assert code == 0
    assert "no venue is configured" in err


def test_check_refuses_with_file_key_and_nearest(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("desk.toml").write_text("[http]\nlisen = '127.0.0.1:1'\n")
    code, out, err = run("check", "-c", "desk.toml")
    assert (code, out) == (2, "")
    assert err == "undertow: desk.toml: unknown key http.lisen; did you mean http.listen?\n"
    monkeypatch.setenv("UNDERTOW__HTTP__LISTEM", "127.0.0.1:1")
    code, _, err = run("check")
    assert code == 2
    assert err == "undertow: UNDERTOW__HTTP__LISTEM: unknown key http.listem; did you mean http.listen?\n"


# -- docs
def test_docs_writes_the_reference(run: Run) -> None:
    code, out, _ = run("docs", "--out", "a/b")
    assert code == 0
    assert differences(Path("a/b")) == []
    assert sorted(out.splitlines()) == sorted(str(path) for path in Path("a/b").rglob("*") if path.is_file())


# -- import
def test_import_reports_as_table_and_json(run: Run) -> None:
    source = capture(Path("btcusdt.txt"))
    code, out, err = run("import", "hftbacktest", source, "--out", "a.mcap")
    assert code == 0
    assert "binance_usdm" in out
    assert "2026-02-05 10:00:00 to 2026-02-05 10:00:04 UTC (0 min 04 s)" in out
    assert "btcusdt@depth@0ms" in out
    assert "tick and lot of BTCUSDT are inferred" in err
    code, out, _ = run("import", "hftbacktest", source, "--out", "b.mcap", "--symbols", "BTCUSDT, ", "--json")
    assert code == 0
    data = json.loads(out)
    assert (data["venue"], data["lines"], data["frames"], data["replies"]) == ("binance_usdm", 81, 80, 1)
    assert data["markets"] == [{"market": "BTCUSDT", "tick_size": "0.1", "lot_size": "0.1"}]
    code, _, err = run("import", "hftbacktest", source, "--out", "b.mcap")
    assert code == 1
    assert "exists already" in err
