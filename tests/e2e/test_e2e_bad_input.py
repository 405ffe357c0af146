"""What people and machines give us that cannot work: one line that says what to do, and everything else runs on."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from functools import partial
from io import FileIO
from pathlib import Path

import pytest
from e2e_child import running, undertow, write_settings
from e2e_logs import Logs
from e2e_world import BINANCE, BTC, ETH, OKX, eventually, live

from monitor.capture.recorder import Recorder
from monitor.capture.recording_set import RecordingSet
from monitor.service import service as service_module
from monitor.simulator.service import SimulatedVenues, settings_toml

NOWHERE = '[venues.okx_swap]\nsymbols = ["BTC-USDT-SWAP"]\nws_origin = "ws://127.0.0.1:9"\nrest_origin = "http://127.0.0.1:9"\n'


def complaint(lines: list[str]) -> str:
    """The one line a person gets, without logs."""
    found = [line for line in lines if line and not line.startswith("{")]
    assert len(found) == 1, lines
    assert found[0].startswith("undertow: ")
    return found[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[engine]\nband = ["1%"]\n', ("engine.band", "bands")),
        ('[venues.binance_usdm]\nsymbols = ["btc/usdt"]\n', ("symbols", "BTCUSDT")),
        ('[venues.binance]\nsymbols = ["BTCUSDT"]\n', ("binance", "binance_usdm")),
        ('[venues.okx_swap]\nsymbols = ["BTC-USDT-SWAP"]\nws_origin = "http://here"\n', ("ws_origin", "ws://")),
        ('[mqtt]\nurl = "http://broker"\n', ("mqtt.url", "mqtt://")),
        ("[engine\n", ("extra.toml", "")),
        ("[alerts.liquidation_burst]\nopen_multiple = 9.0\n", ("open_multiple", "warning_multiple")),
    ],
)
async def test_settings_that_cannot_be(tmp_path: Path, text: str, says: tuple[str, str]) -> None:
    files = write_settings(
        tmp_path,
        NOWHERE if "okx_swap" not in text else "",
        text,
        mqtt="" if "[mqtt]" in text else '[mqtt]\nembedded_listen = "127.0.0.1:0"\n',
    )
    async with undertow("run", *files) as child:
        assert await child.end() == 2
        said = complaint(child.out)
        assert all(part in said for part in says), said
        assert "Traceback" not in child.text


async def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        files = write_settings(tmp_path, NOWHERE, f'[http]\nlisten = "127.0.0.1:{port}"\n')
        async with undertow("run", *files, "--log-format", "json") as child:
            assert await child.end() in (1, 2)
            said = complaint(child.out)
            assert str(port) in said
            assert "http.listen" in said


async def test_a_state_file_in_use_or_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    files = write_settings(tmp_path, NOWHERE, f'[state]\npath = "{tmp_path}/file/undertow.sqlite"\n')
    async with undertow("run", *files, "--log-format", "json") as child:
        assert await child.end() == 1
        assert "undertow.sqlite" in complaint(child.out)
    async with (
        SimulatedVenues("calm", 7, assets=("BTC",), venues=(OKX,)) as sim,
        running(sim, tmp_path / "one") as first,
    ):
        await first.ready()
        files = write_settings(tmp_path / "two", NOWHERE, f'[state]\npath = "{tmp_path}/one/undertow.sqlite"\n')
        async with undertow("run", *files, "--log-format", "json") as child:
            assert await child.end() == 1
            assert "state.path" in complaint(child.out)


async def test_a_symbol_the_venue_does_not_list(tmp_path: Path) -> None:
    """That market is refused and named; the others run. Through the command line, logs included."""
    async with SimulatedVenues("calm", 7) as sim:
        venues = settings_toml(sim).replace(
            'symbols = ["BTCUSDT", "ETHUSDT"]', 'symbols = ["BTCUSDT", "NOSUCHUSDT"]', 1
        )
        async with running(sim, tmp_path, venues=venues) as child:
            await child.ready(5)
            _, body = await child.get("/readyz")
            assert body["refused"] == [
                {"venue": BINANCE, "market": "NOSUCHUSDT", "reason": "Binance USD-M futures does not list it"}
            ]
            assert body["configured"] == 5
            assert len(child.said("market_refused")) == 1
            found = (await child.answer("/api/v1/alerts", lambda body: body["alerts"]))["alerts"]
            assert [(a["kind"], a["subject"], a["severity"]) for a in found] == [
                ("feed_fault", "binance_usdm:NOSUCHUSDT", "watch")
            ]
            assert await child.stop() < 3


class Disk:
    """Files on a disk that can be full."""

    def __init__(self) -> None:
        self.full = False

    def open(self, path: Path) -> FileIO:
        disk = self

        class File(FileIO):
            def write(self, data: object) -> int:
                if disk.full:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return super().write(data)  # type: ignore[arg-type]

        return File(path, "x+")


async def test_a_full_disk_while_recording(tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once, the service runs on and books stay true; recording resumes by itself and says what is missing."""
    disk = Disk()
    quick: Callable[..., Recorder] = partial(Recorder, opener=disk.open, retry_seconds=0.3)
    monkeypatch.setattr(service_module, "Recorder", quick)
    extra = f'[recording]\nenabled = true\ndirectory = "{tmp_path}/captures"\n'
    async with live("calm", folder=tmp_path / "state", extra=extra) as world:
        await world.ready()
        disk.full = True
        await eventually(lambda: bool(logs.of("recording_stopped")))
        assert "space" in logs.of("recording_stopped")[0].fields["reason"]
        await world.next_second()
        await world.true_books()
        assert world.watch.lost == []
        await world.next_second()
        assert len(logs.of("recording_stopped")) == 1
        disk.full = False
        await eventually(lambda: bool(logs.of("recording_resumed")))
        await world.next_second()
        await world.stop()
        assert len(logs.of("recording_stopped")) == len(logs.of("recording_resumed")) == 1
    gaps: list[object] = []
    events = sum(1 for _ in RecordingSet.open([tmp_path / "captures"]).events(on_gap=gaps.append))
    assert events > 100
    assert len(gaps) == 1
    assert logs.complaints() == []
    assert {BTC[BINANCE], ETH[BINANCE]} == {"BTCUSDT", "ETHUSDT"}
