"""Shared fixtures. Tests read real captures at ../shared/data and skip, with the reason, where that folder is absent.

Where it is there, no test may skip for want of captures: a skip that nobody notices would be a test that cannot fail.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

# A deadline is a timed test: it fails when the machine is busy.
settings.register_profile("undertow", deadline=None)
settings.load_profile("undertow")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures, or a skip that says so."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real captures are not here: {SHARED_DATA}")
    return SHARED_DATA


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    return _judged(report, uses_captures="shared_data" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    return _judged(report, uses_captures=False)


def _judged(report: Report, *, uses_captures: bool) -> Report:
    """A skip of a test that reads captures, or that speaks of them, is a failure where they are."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail") or not SHARED_DATA.is_dir():
        return report
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if uses_captures or "captures" in reason or "shared/data" in reason:
        report.outcome = "failed"
        report.longrepr = f"skipped although the captures are at {SHARED_DATA} ({reason})"
    return report
