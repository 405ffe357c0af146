"""The rule of tests/conftest.py on a small suite of its own: skips for want of captures are legal only where there are none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SUITE = """
from pathlib import Path
import pytest

def test_reads(shared_data): assert shared_data.is_dir()
def test_skips_although_it_reads(shared_data): pytest.skip("no time")
def test_speaks_of_them(): pytest.skip("the captures of ../shared/data are too large")
def test_skips_for_another_reason(): pytest.skip("no Chromium on this machine")
@pytest.mark.skip(reason="another machine")
def test_marked(): pass
@pytest.mark.skipif(True, reason="real captures are not here")
def test_marked_for_captures(): pass
@pytest.mark.xfail(reason="captures")
def test_known_to_fail(): assert False
def test_passes(): pass
"""
MODULE = 'import pytest\npytest.skip("no captures", allow_module_level=True)\n'


@pytest.mark.parametrize(
    ("there", "counts", "failed"),
    [
        (
            True,
            {"passed": 2, "failed": 2, "skipped": 2, "xfailed": 1, "error": 2},
            {"test_skips_although_it_reads", "test_speaks_of_them", "test_marked_for_captures"},
        ),
        (False, {"passed": 1, "failed": 0, "skipped": 7, "xfailed": 1, "error": 0}, set()),
    ],
)
def test_a_skip_for_want_of_captures_fails_where_they_are(
    tmp_path: Path, there: bool, counts: dict[str, int], failed: set[str]
) -> None:
    tests = tmp_path / "project" / "tests"
    tests.mkdir(parents=True)
    if there:
        (tmp_path / "shared" / "data").mkdir(parents=True)
    (tests / "conftest.py").write_text(CONFTEST.read_text())
    (tests / "test_some.py").write_text(SUITE)
    (tests / "test_whole.py").write_text(MODULE)
    ran = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-rfE", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors",
            "--rootdir", str(tests), str(tests),
        ],
        cwd=tests,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    summary = ran.stdout.strip().splitlines()[-1]
    for word, count in counts.items():
        found = re.search(rf"(\d+) {word}", summary)
        assert (int(found[1]) if found else 0) == count, ran.stdout
    assert set(re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", ran.stdout, re.MULTILINE)) == failed
    assert ran.returncode == (1 if there else 0)
    if there:
        assert "skipped although the captures are at" in ran.stdout
