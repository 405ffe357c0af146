"""Nothing is compiled once everything is imported: the warm-up's own account, and the whole service in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.rehearsal import rehearse
from monitor.warm import kernels, main, warm

JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")


def test_the_rehearsal_verifies_every_book_and_is_the_same_every_time() -> None:
    first = rehearse(2)
    assert first.verified == first.markets == 6
    assert first.frames > 100
    assert rehearse(2) == first


def test_the_report_counts_every_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    report = warm()
    assert report.kernels == len(kernels())
    assert report.loaded + report.compiled == report.kernels
    assert report.compiled_later == 0
    assert main() == 0
    assert f"{report.kernels} kernels" in capsys.readouterr().out
    if JIT:
        names = kernels()
        assert {"engines.wire.book_scan.scan_book", "engines.book.hot.take_frame"} <= names.keys()
        assert all(kernel.signatures for kernel in names.values())


@pytest.mark.skipif(not JIT, reason="nothing compiles with the compiler switched off")
def test_service_and_replay_compile_nothing(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "monitor.warm"], check=True, stdout=subprocess.DEVNULL)
    script = Path(__file__).with_name("service_process.py")
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said.pop("frames") > 100
    assert said == {"importing": 0, "verified": 6, "running": 0, "replaying": 0}
