"""One digest over books, regimes and alerts: the same for the same recording, whoever watches and however it is cut, and for no other."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from acceptance_rig import recording

from monitor.capture.format import Checkpoint
from monitor.capture.recording_set import RecordingSet
from monitor.capture.replay import replay
from monitor.capture.standing import Standing
from monitor.capture.writer import RecordingWriter
from monitor.config import Settings
from monitor.events import Event, FrameReceived, RestReplied

BOOK_FRAMES = 500  # of the cut that also runs without the compiler


def digest_of(*paths: Path) -> str:
    return replay(list(paths), Settings(), digest=True).digest


@pytest.fixture(scope="module")
def cut(binance_recording: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The beginning of the capture: the seed, some hundred changes, every trade in between, no ticker."""
    events: list[Event] = []
    books = 0
    for event in RecordingSet.open([binance_recording]).events():
        if isinstance(event, FrameReceived):
            if b'"bookTicker"' in event.data[:80]:
                continue
            books += b'"depthUpdate"' in event.data[:80]
            if books > BOOK_FRAMES:
                break
        events.append(event)
    assert sum(isinstance(event, RestReplied) for event in events) == 1
    return events


@pytest.fixture(scope="module")
def cut_file(cut: list[Event], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("cut") / "cut.mcap", cut)


def test_two_replays_of_the_whole_capture_are_equal(binance_recording: Path) -> None:
    first = replay([binance_recording], Settings(), digest=True)
    second = replay([binance_recording], Settings(), digest=True)
    assert first.digest == second.digest
    assert len(first.digest) == 64
    assert first.frames == 93_953


PLAIN = """
import sys
from pathlib import Path
from monitor.capture.replay import replay
from monitor.config import Settings
from engines.book.hot import take_frame
assert not hasattr(take_frame, "signatures"), "compiled"
print(replay([Path(sys.argv[1])], Settings(), digest=True).digest)
"""


def test_without_the_compiler_the_digest_is_the_same(cut_file: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "-c", PLAIN, str(cut_file)],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.strip() == digest_of(cut_file)


def test_one_quantity_changed_is_another_digest(cut: list[Event], cut_file: Path, tmp_path: Path) -> None:
    """One lot more at one price, in a frame after which nobody speaks of that price again before the second ends."""
    last = max(i for i, e in enumerate(cut) if isinstance(e, FrameReceived) and b'"depthUpdate"' in e.data[:80])
    event = cut[last]
    assert isinstance(event, FrameReceived)
    message = orjson.loads(event.data)
    row = next(row for row in message["data"]["b"] if float(row[1]) > 0)
    row[1] = f"{Decimal(row[1]) + Decimal('0.001')}"
    other = [*cut[:last], replace(event, data=orjson.dumps(message)), *cut[last + 1 :]]
    assert digest_of(recording(tmp_path / "x.mcap", other)) != digest_of(cut_file)
    same = [*cut[:last], replace(event, data=orjson.dumps(orjson.loads(event.data))), *cut[last + 1 :]]
    assert digest_of(recording(tmp_path / "y.mcap", same)) == digest_of(cut_file)


def test_one_frame_left_out_is_another_digest(cut: list[Event], cut_file: Path, tmp_path: Path) -> None:
    books = [i for i, e in enumerate(cut) if isinstance(e, FrameReceived) and b'"depthUpdate"' in e.data[:80]]
    left = [e for i, e in enumerate(cut) if i != books[100]]
    assert digest_of(recording(tmp_path / "x.mcap", left)) != digest_of(cut_file)


def test_who_watches_does_not_matter(cut_file: Path, tmp_path: Path) -> None:
    seen: list[object] = []
    alerts = tmp_path / "alerts.jsonl"
    watched = replay(
        [cut_file],
        Settings(),
        digest=True,
        alerts_out=alerts,
        on_alert=seen.append,
        on_second=seen.append,
        on_hub=seen.append,
        progress=seen.append,
    )
    assert watched.digest == digest_of(cut_file)
    assert len(seen) > 3
    assert alerts.exists()
    quiet = replay([cut_file], Settings())
    assert (quiet.digest, quiet.events, quiet.frames) == ("", watched.events, watched.frames)


def test_speed_does_not_matter(cut_file: Path) -> None:
    report = replay([cut_file], Settings(), digest=True, speed=200.0)
    assert report.digest == digest_of(cut_file)
    assert report.elapsed_seconds >= (report.end - report.start) / 1e9 / 200 * 0.9


def rotated(events: list[Event], at: int, folder: Path) -> list[Path]:
    """As the recorder rotates: the second file of the run begins with the standing state."""
    standing = Standing()
    first = RecordingWriter(folder / "a.mcap", instance="test", run="r", part=0, created=events[0].at)
    for event in events[:at]:
        first.write(event)
        if not isinstance(event, FrameReceived):
            standing.update(event)
    first.container.close()
    second = RecordingWriter(folder / "b.mcap", instance="test", run="r", part=1, created=events[at].at)
    repeated = list(standing.events(events[at].at))
    assert len(repeated) >= 2  # the listing and the connection
    second.event(Checkpoint(events[at].at, len(repeated)))
    for state in repeated:
        second.event(state)
    for event in events[at:]:
        second.write(event)
    second.container.close()
    return [folder / "a.mcap", folder / "b.mcap"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_recording_rotated_into_two_files_is_the_same(
    cut: list[Event], cut_file: Path, tmp_path: Path, share: float
) -> None:
    files = rotated(cut, int(len(cut) * share), tmp_path)
    assert digest_of(*files) == digest_of(cut_file)
    assert digest_of(*reversed(files)) == digest_of(cut_file)
    assert digest_of(tmp_path) == digest_of(cut_file)
