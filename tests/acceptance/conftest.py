from __future__ import annotations

from pathlib import Path

import pytest

from monitor.capture.importers import import_capture


@pytest.fixture(scope="session")
def binance_capture(shared_data: Path) -> Path:
    """Six minutes of BTCUSDT on Binance USD-M as another recorder wrote them."""
    return shared_data / "hftbacktest-binance-2024-08-08" / "usdm_btcusdt_20240808.gz"


@pytest.fixture(scope="session")
def binance_recording(binance_capture: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a recording of ours."""
    out = tmp_path_factory.mktemp("binance") / "btcusdt.mcap"
    import_capture("hftbacktest", binance_capture, out)
    return out
