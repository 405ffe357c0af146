"""A recording made by the importer, replayed: the same digest every time, nothing else touched."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from cli_rig import Run, environment, undertow
from rich.console import Console

# Floors low enough that the little capture raises something: one book of about 40,000 USD a side.
SHARP = """
[engine]
baseline_warmup = "1s"
[alerts.feed_fault]
open_hold_seconds = 0
venue_open_hold_seconds = 0
"""


def test_it_reports_and_the_digest_is_the_same_without_the_compiler(recording: Path, run: Run, tmp_path: Path) -> None:
    outs = []
    for _ in range(2):
        code, out, err = run("replay", recording, "--digest")
        assert code == 0
        assert "frames/s" in err
        outs.append(out)
    plain = undertow("replay", recording, "--digest", cwd=tmp_path, env=environment(NUMBA_DISABLE_JIT="1"))
    assert plain.returncode == 0, plain.stderr
    assert outs[0] == outs[1] == plain.stdout, "what stands on stdout depends on the recording alone"
    assert re.search(r"digest\s+[0-9a-f]{64}\b", outs[0])
    assert re.search(r"frames\s+80\b", outs[0])
    assert "2026-02-05 10:00:00" in outs[0]


def test_json_and_alerts_file(recording: Path, run: Run) -> None:
    Path("sharp.toml").write_text(SHARP)
    code, out, _ = run("replay", recording, "-c", "sharp.toml", "--alerts", "alerts.jsonl", "--digest", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["frames"] == 80
    assert re.fullmatch(r"[0-9a-f]{64}", report["digest"])
    alerts = [json.loads(line) for line in Path("alerts.jsonl").read_text().splitlines()]
    assert len(alerts) == report["transitions"] > 0
    code, out, _ = run("replay", recording, "--json")
    assert "digest" not in json.loads(out)


def test_alerts_are_shown_one_a_line(recording: Path, run: Run) -> None:
    Path("sharp.toml").write_text(SHARP)
    code, out, _ = run("replay", recording, "-c", "sharp.toml", "--alerts", "alerts.jsonl")
    assert code == 0
    alerts = [json.loads(line) for line in Path("alerts.jsonl").read_text().splitlines()]
    shown = [line for line in out.splitlines() if re.match(r"\d\d:\d\d:\d\d (watch|warning|critical) ", line)]
    assert len(shown) == len(alerts) > 0
    for line, alert in zip(shown, alerts, strict=True):
        assert alert["summary"] in line
        assert f"{alert['kind']}/{alert['subject']} {alert['transition']}:" in line


def test_state_and_network_are_left_alone(recording: Path, run: Run) -> None:
    """The settings name a state file, a broker and venues that would all show if they were touched."""
    Path("live.toml").write_text(
        "[state]\npath = 'state/x.sqlite'\n[recording]\nenabled = true\n[mqtt]\nurl = 'mqtt://127.0.0.1:1'\n"
        "[venues.okx_swap]\nsymbols = ['BTC-USDT-SWAP']\nws_origin = 'ws://127.0.0.1:1'\n"
    )
    code, _, _ = run("replay", recording, "-c", "live.toml")
    assert code == 0
    assert [path.name for path in Path().iterdir()] == ["live.toml"]


def test_at_a_pace(recording: Path, run: Run) -> None:
    code, _, err = run("replay", recording, "--speed", "8")
    assert code == 0
    seconds = re.search(r"replayed in ([\d.]+) s", err)
    assert seconds is not None
    assert float(seconds[1]) >= 0.5, "four seconds at eight times"


def test_a_folder_with_a_broken_file_says_what_it_left_out(recording: Path, run: Run) -> None:
    Path("captures").mkdir()
    shutil.copy(recording, "captures/a.mcap")
    Path("captures/b.mcap").write_bytes(b"junk")
    code, _, err = run("replay", "captures")
    assert code == 0
    assert "note: left out: captures/b.mcap" in err


def test_alerts_that_cannot_be_written(recording: Path, run: Run) -> None:
    code, _, err = run("replay", recording, "--alerts", "no/such/folder.jsonl")
    assert code == 1
    assert err == "undertow: no/such/folder.jsonl: cannot be written: No such file or directory\n"


def test_a_bar_on_a_terminal_and_only_there(recording: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with monkeypatch.context() as patched:
        patched.setattr("monitor.cli.progress.err", lambda: terminal)
        code, out, _ = run("replay", recording)
    assert code == 0
    assert isinstance(terminal.file, io.StringIO)
    seen = terminal.file.getvalue()
    assert "replaying" in seen
    size = recording.stat().st_size / 1000
    assert f"{size:.1f}/{size:.1f} kB" in seen, "it reaches the end"
    _, plain_out, err = run("replay", recording)
    assert "replaying" not in plain_out + err
    assert plain_out == out
