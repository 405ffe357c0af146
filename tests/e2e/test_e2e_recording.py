"""Recorded while it runs, replayed afterwards: the same alerts, and the same bytes every time."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from e2e_logs import Logs
from e2e_world import BINANCE, BYBIT, OKX, World, live

from monitor.alerts.payloads import AlertPayload
from monitor.capture.recorder import Recorder
from monitor.capture.recording_set import RecordingSet
from monitor.capture.replay import ReplayReport, replay
from monitor.service import service as service_module

PART_BYTES = 600_000  # a few parts in the run below

Identity = tuple[str, int, str, str, str, str, str, str]


def identity(payload: AlertPayload) -> Identity:
    p = payload
    return (p.id, p.sequence, p.transition, p.severity, p.asset, p.kind, p.subject, p.at)


def replayed(world: World, paths: list[Path], *, digest: bool = False) -> tuple[list[Identity], ReplayReport]:
    found: list[Identity] = []
    report = replay(paths, world.settings, digest=digest, on_alert=lambda payload: found.append(identity(payload)))
    return found, report


async def test_a_recording_replays_to_the_same_alerts(
    tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cascade with gaps, a lost venue and several parts: live and two replays raise the same, the digests are equal."""
    monkeypatch.setattr(service_module, "Recorder", partial(Recorder, rotate_bytes=PART_BYTES))
    captures = tmp_path / "captures"
    extra = (
        f'[recording]\nenabled = true\ndirectory = "{captures}"\n[alerts.feed_fault]\nvenue_open_hold_seconds = 2.0\n'
    )
    async with live("cascade", stepping=True, folder=tmp_path / "state", extra=extra, assets=("BTC",)) as world:
        await world.play_ready()
        for second, kind, venue, channel in (
            (20, "gap", BINANCE, "book"),
            (23, "truncate", OKX, "book"),
            (26, "gap", BYBIT, "book"),
        ):
            await world.play(second - world.sim.elapsed_ns / 1e9)
            world.sim.faults.inject(kind, venue=venue, channel=channel, count=1)
        await world.play(2)
        world.sim.faults.inject("outage", venue=OKX)
        await world.play(6, pause=0.01)
        world.sim.faults.clear()
        await world.play(30, pause=0.002)
        await world.play(55 - world.sim.elapsed_ns / 1e9)
        await world.stop()
    expected = [identity(payload) for payload in world.alerts]
    assert {(i[5], i[2]) for i in expected} >= {
        ("feed_fault", "opened"),
        ("liquidation_burst", "opened"),
        ("liquidation_burst", "escalated"),
    }
    files = sorted(captures.glob("*.mcap"))
    assert len(files) >= 3, "rotation in the middle of it"
    first, one = replayed(world, [captures], digest=True)
    second, two = replayed(world, files, digest=True)
    print(
        f"recorded {sum(f.stat().st_size for f in files) / 1e6:.1f} MB in {len(files)} parts, {one.frames} frames; "
        f"replayed in {one.elapsed_seconds:.2f} s; {len(expected)} transitions; digest {one.digest[:12]}"
    )
    assert first == second == expected
    assert one.digest == two.digest != ""
    assert (one.frames, one.transitions) == (two.frames, two.transitions)
    assert logs.complaints() == []
    assert world.watch.wrong == []


async def test_a_part_alone_has_verified_books_soon(
    tmp_path: Path, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second part of a recording begins with the standing state, and the books that a REST snapshot seeds are asked for again."""
    monkeypatch.setattr(service_module, "Recorder", partial(Recorder, rotate_bytes=200_000))
    captures = tmp_path / "captures"
    extra = f'[recording]\nenabled = true\ndirectory = "{captures}"\n'
    async with live("calm", stepping=True, folder=tmp_path / "state", extra=extra, assets=("BTC",)) as world:
        await world.play_ready()
        assert await world.play(200, until=lambda: len(list(captures.glob("*.mcap"))) >= 4, pause=0.01)
        assert world.watch.lost == []
        await world.stop()
    middle = sorted(captures.glob("*.mcap"))[1]
    verified: dict[str, int] = {}
    start = RecordingSet.open([middle]).start

    def second(view: object) -> None:
        for market in view.markets:  # type: ignore[attr-defined]
            if market.verified:
                verified.setdefault(market.venue, view.at)  # type: ignore[attr-defined]

    replay([middle], world.settings, on_second=second)
    after = {venue: round((at - start) / 1e9, 1) for venue, at in verified.items()}
    print(f"a middle part alone: verified after {after} s")
    assert BINANCE in verified, "seeded by REST: asked for again when the part began"
    assert after[BINANCE] < 5
