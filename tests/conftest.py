"""Shared fixtures. Tests read real captures at ../shared/data and skip, with the reason, where that folder is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real captures, or a skip that says so."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real captures are not here: {SHARED_DATA}")
    return SHARED_DATA
