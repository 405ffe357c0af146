"""The recorder under kill -9, full disks, a slow writer, rotation and the size cap."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

import pytest
from capture_samples import make_connected, make_instrument, sample_events, topic_of

from monitor.capture import recorder as recorder_module
from monitor.capture.container import exclusive
from monitor.capture.format import Gap
from monitor.capture.reader import Recording
from monitor.capture.recorder import GIB, Recorder
from monitor.capture.recording_set import RecordingSet
from monitor.capture.retention import delete_oldest, file_name, own_files
from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived, InstrumentsListed

PROCESS = Path(__file__).with_name("capture_writing_process.py")
SECOND = 1_000_000_000
START = 1_723_161_255 * SECOND


@pytest.fixture(autouse=True)
def _quick_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer's own pace is tested once (the kill test, in another process); everything else need not wait for it."""
    monkeypatch.setattr(recorder_module, "POLL_SECONDS", 0.002)
    monkeypatch.setattr(recorder_module, "FLUSH_SECONDS", 0.004)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "the recorder did not get there"
        pause.wait(0.002)


def record(directory: Path, events: list[Event], **options: object) -> Recorder:
    recorder = Recorder(directory, 1.0, **options)  # type: ignore[arg-type]
    recorder.start()
    for event in events:
        recorder.write(event)
    recorder.close()
    return recorder


def spawn(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, PROCESS, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    events = sample_events(START)
    recorder = record(tmp_path / "new" / "folder", events)
    (path,) = (tmp_path / "new" / "folder").iterdir()
    assert path.name == "undertow-20240808T235415Z.mcap"
    recording = Recording(path, topic_of=topic_of)
    assert list(recording.events()) == events
    assert recording.notices == ()
    stats = recorder.stats
    assert (stats.state, stats.events_written, stats.frames_dropped) == ("closed", len(events), 0)
    assert stats.bytes_written == path.stat().st_size
    assert stats.pending_bytes == 0


def test_kill_9_loses_at_most_the_last_second(tmp_path: Path) -> None:
    """Seed 11: killed at random moments; every frame handed over a second before the kill is there, in order, without a hole."""
    generator = random.Random(11)
    processes = []
    for number in range(4):
        processes.append((spawn(tmp_path / str(number), 0, 0, 30), 1.2 + generator.random() * 1.2))
    for number, (process, life) in enumerate(processes):
        assert process.stdout is not None
        handed: list[tuple[int, int]] = []
        deadline = 0
        for line in process.stdout:
            index, at = map(int, line.split())
            handed.append((index, at))
            deadline = deadline or at + int(life * SECOND)
            if at >= deadline and process.poll() is None:
                killed = time.time_ns()
                process.send_signal(signal.SIGKILL)
                break
        handed += [
            tuple(map(int, line.split())) for line in process.stdout if line.endswith("\n") and line.count(" ") == 1
        ]  # type: ignore[misc]
        process.wait()
        process.stdout.close()
        (path,) = (tmp_path / str(number)).iterdir()
        recording = Recording(path, topic_of=topic_of)
        found = [(int(e.data.split(b" ")[0]), e.at) for e in recording.events() if isinstance(e, FrameReceived)]
        assert found == handed[: len(found)] or handed == found[: len(handed)]
        due = [index for index, at in handed if at <= killed - SECOND]
        assert due
        assert len(found) >= len(due)
        assert "cut" in recording.notices[0]
        assert recording.message_count == len(found)


def test_rotation_by_size_repeats_the_state_and_joins(tmp_path: Path) -> None:
    listed = InstrumentsListed(START, "fake", (make_instrument(),))
    rotations: list[int] = []
    recorder = Recorder(tmp_path, 1.0, rotate_bytes=200_000, on_rotate=lambda: rotations.append(1))
    recorder.start()
    noise = random.Random(3)
    events: list[Event] = [listed, make_connected(START + 1, 0), make_connected(START + 2, 1)]
    for event in events:
        recorder.write(event)
    for number in range(800):
        at = START + 10 + number * 5_000_000
        if number == 400:
            events.append(Disconnected(at, "fake", 1, "silent"))
        else:
            events.append(FrameReceived(at, "fake", number % 2, noise.randbytes(1000)))
        recorder.write(events[-1])
        if number % 50 == 49:
            until(lambda: recorder.stats.pending_bytes == 0)
    recorder.close()
    files = own_files(tmp_path, "undertow-1")
    assert len(files) == recorder.stats.files_opened >= 4
    assert len(rotations) == len(files) - 1
    assert all(file.size < 300_000 for file in files)
    assert list(RecordingSet.open([tmp_path], topic_of=topic_of).events()) == events
    # Any file but the first, alone: listing and the connections that were open then come first.
    for file in files[1:]:
        alone = list(Recording(file.path, topic_of=topic_of).events())
        at = alone[0].at
        assert isinstance(alone[0], InstrumentsListed)
        assert alone[0].instruments == listed.instruments
        before = [event for event in events if event.at < at]
        open_now = {e.connection for e in before if isinstance(e, Connected)}
        open_now -= {e.connection for e in before if isinstance(e, Disconnected)}
        assert [e.connection for e in alone[1:] if isinstance(e, Connected)] == sorted(open_now)


def test_rotation_by_time(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1.0, rotate_ns=60 * SECOND)
    recorder.start()
    for minute in range(3):
        recorder.frame("fake", 0, b"a", START + minute * 60 * SECOND)
        recorder.frame("fake", 0, b"b", START + (minute * 60 + 60) * SECOND - 1)
        recorder.frame("fake", 0, b"c", START + (minute * 60 + 60) * SECOND)
        until(lambda: recorder.stats.files_opened == minute + 1 and recorder.stats.path is None)  # noqa: B023
    recorder.close()
    assert len(own_files(tmp_path, "undertow-1")) == 3


def test_the_cap_deletes_the_oldest_own_files_and_nothing_else(tmp_path: Path) -> None:
    others = {
        "undertow-20200101T000000Z.mcap": b"somebody else's file with our kind of name",
        "notes.txt": b"keep",
        "undertow-latest.mcap": b"keep",
    }
    for name, content in others.items():
        (tmp_path / name).write_bytes(content)
    record(tmp_path, [FrameReceived(START - 7 * SECOND, "fake", 0, b"x" * 9000)], instance="undertow-2")
    other_instance = {path.name for path in tmp_path.iterdir()} - set(others)
    (tmp_path / "undertow-20190101T000000Z.mcap").symlink_to(tmp_path / "notes.txt")
    cap = 2_000_000
    recorder = Recorder(tmp_path, cap / GIB)
    recorder.start()
    noise = random.Random(5)
    for number in range(5000):
        recorder.frame("fake", 0, noise.randbytes(1000), START + number * SECOND // 10)
        if number % 100 == 0:
            until(lambda: recorder.stats.pending_bytes == 0)
            assert sum(file.size for file in own_files(tmp_path, "undertow-1")) <= cap
    recorder.close()
    stats = recorder.stats
    assert stats.files_deleted > 5
    kept = own_files(tmp_path, "undertow-1")
    assert cap / 2 < sum(file.size for file in kept) <= cap
    assert kept == sorted(kept)
    newest = [e for e in Recording(kept[-1].path).events() if isinstance(e, FrameReceived)]
    assert newest[-1].at == START + 4999 * SECOND // 10
    for name, content in others.items():
        assert (tmp_path / name).read_bytes() == content
    assert all((tmp_path / name).exists() for name in other_instance)
    assert (tmp_path / "undertow-20190101T000000Z.mcap").is_symlink()


def test_a_file_in_use_is_not_deleted(tmp_path: Path) -> None:
    for number in range(3):
        record(tmp_path, [FrameReceived(START + number * SECOND, "fake", 0, b"x")])
    oldest = own_files(tmp_path, "undertow-1")[0].path
    with oldest.open("rb") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        assert oldest not in delete_oldest(tmp_path, "undertow-1", 0)
    assert [file.path for file in own_files(tmp_path, "undertow-1")] == [oldest]
    assert delete_oldest(tmp_path, "undertow-1", 0) == [oldest]


def test_files_begun_in_the_same_second_get_a_number(tmp_path: Path) -> None:
    for _ in range(3):
        record(tmp_path, [FrameReceived(START, "fake", 0, b"x")])
    names = [file.path.name for file in own_files(tmp_path, "undertow-1")]
    assert names == [file_name(START), file_name(START, 1), file_name(START, 2)]


class FullDisk(FileIO):
    """A file on a disk with `room` bytes left, shared between files; writes are cut short like the kernel does."""

    room = 0

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if not FullDisk.room:
            raise OSError(28, "No space left on device")
        count = min(len(view), FullDisk.room)
        FullDisk.room -= count
        return super().write(view[:count])


def on_full_disk(path: Path) -> FileIO:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    return FullDisk(path, "r+")


def test_a_full_disk_stops_once_keeps_the_rest_and_resumes_with_a_gap(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = random.Random(9)
    FullDisk.room = 50_000
    recorder = Recorder(tmp_path, 1.0, opener=on_full_disk, retry_seconds=0.01)
    recorder.start()
    recorder.write(InstrumentsListed(START, "fake", (make_instrument(),)))
    recorder.write(make_connected(START + 1))
    sent: list[FrameReceived] = []

    def send(count: int) -> None:
        for _ in range(count):
            sent.append(FrameReceived(START + 10 + len(sent), "fake", 0, noise.randbytes(1000)))
            recorder.write(sent[-1])

    def fills() -> bool:
        send(5)
        until(lambda: recorder.stats.pending_bytes == 0)
        return recorder.stats.state == "stopped"

    until(fills)
    stopped = recorder.stats
    assert "No space left on device" in stopped.error
    assert "free space" in stopped.error
    until(lambda: (send(1), recorder.stats.write_failures > 3)[1])  # tries again, and is not louder for it
    recorder.write(make_connected(START + 5 * SECOND, 1))
    until(lambda: recorder.stats.pending_bytes == 0)
    FullDisk.room = 1 << 30
    until(lambda: (send(1), recorder.stats.state == "recording")[1])
    last = len(sent)
    send(20)
    recorder.close()
    stats = recorder.stats
    assert stats.error == ""

    gaps: list[Gap] = []
    files = sorted(own_files(tmp_path, "undertow-1"))
    assert len(files) == 2  # failed tries leave no empty files behind
    before = [e for e in Recording(files[0].path, topic_of=topic_of).events() if isinstance(e, FrameReceived)]
    after = list(Recording(files[1].path, topic_of=topic_of).events(on_gap=gaps.append))
    assert before == sent[: len(before)]
    assert [type(event) for event in after[:3]] == [InstrumentsListed, Connected, Connected]
    resumed = [e for e in after if isinstance(e, FrameReceived)]
    assert resumed == sent[-len(resumed) :]
    assert len(resumed) >= len(sent) - last
    (gap,) = gaps
    assert gap.reason == "disk"
    assert gap.frames == stats.frames_dropped == len(sent) - len(before) - len(resumed)
    assert gap.since == sent[len(before)].at
    said = capsys.readouterr().out + caplog.text
    assert said.count("recording_stopped") == 1
    assert said.count("recording_resumed") == 1


def test_a_file_size_limit_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    """RLIMIT_FSIZE: the kernel itself refuses in the middle of a write; the process goes on and the file stays whole."""
    process = spawn(tmp_path, 20_000, 1_500, 0.05)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "write_failures=0" not in output
    total = 0
    for path in sorted(tmp_path.iterdir()):
        assert path.stat().st_size <= 20_000
        total += sum(isinstance(event, FrameReceived) for event in Recording(path, topic_of=topic_of).events())
    assert 0 < total < 1_500
    assert f"frames_dropped={1_500 - total}" in output


def test_dev_full_and_an_unwritable_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = record(tmp_path, sample_events(START), opener=lambda path: FileIO("/dev/full", "r+"))
    assert recorder.stats.frames_dropped == 5  # three frames and two REST bodies
    assert "No space left" in recorder.stats.error
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    recorder = record(blocked, sample_events(START))
    assert recorder.stats.write_failures == 1
    assert "cannot record into" in recorder.stats.error
    with pytest.raises(RecordingError, match="cannot record into"):
        recorder.check()
    Recorder(tmp_path / "fine", 1.0).check()
    assert list((tmp_path / "fine").iterdir()) == []
    capsys.readouterr()


@pytest.mark.parametrize("cap", [0, -1, float("nan")])
def test_a_cap_that_is_none_is_refused(tmp_path: Path, cap: float) -> None:
    with pytest.raises(RecordingError, match="max_total_gib"):
        Recorder(tmp_path, cap)


def test_a_writer_that_is_behind_costs_frames_not_memory(tmp_path: Path) -> None:
    held = threading.Event()
    entered = threading.Event()

    def slow(path: Path) -> FileIO:
        entered.set()
        assert held.wait(20)
        return exclusive(path)

    recorder = Recorder(tmp_path, 1.0, max_pending_bytes=100_000, opener=slow)
    recorder.start()
    sent = [FrameReceived(START + number, "fake", 0, b"%06d" % number + b"x" * 994) for number in range(1000)]
    recorder.write(make_connected(START))
    assert entered.wait(20)
    for frame in sent:
        recorder.write(frame)
    recorder.write(Disconnected(START + 2000, "fake", 0, "silent"))  # state is never left out
    assert recorder.stats.pending_bytes <= 100_000 + 1000
    held.set()
    until(lambda: recorder.stats.pending_bytes == 0)
    recorder.frame("fake", 0, b"again", START + 3000)
    recorder.close()
    gaps: list[Gap] = []
    (path,) = tmp_path.iterdir()
    found = list(Recording(path, topic_of=topic_of).events(on_gap=gaps.append))
    kept = [event for event in found if isinstance(event, FrameReceived)]
    assert 50 < len(kept) < 120
    assert kept[:-1] == sent[: len(kept) - 1]
    assert isinstance(found[-2], Disconnected)
    (gap,) = gaps
    assert gap == Gap(
        START + 2000, sent[len(kept) - 1].at, 1000 - len(kept) + 1, (1001 - len(kept)) * 1000, "writer behind"
    )
    assert recorder.stats.frames_dropped == gap.frames


def test_closing_while_behind_still_says_so(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, 1.0, max_pending_bytes=1000)
    recorder.frame("fake", 0, b"x" * 500, START)
    recorder.frame("fake", 0, b"x" * 500, START + 1)
    recorder.start()
    recorder.close()
    gaps: list[Gap] = []
    (path,) = tmp_path.iterdir()
    assert len(list(Recording(path, topic_of=topic_of).events(on_gap=gaps.append))) == 1
    assert [gap.frames for gap in gaps] == [1]


def test_the_thread_outlives_a_mistake_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorder = Recorder(tmp_path, 1.0, retry_seconds=0)
    recorder.start()
    recorder.frame("fake", 0, b"x", START)
    recorder.frame("fake", 0, b"x", -5)  # no time an MCAP message can have
    until(lambda: recorder.stats.write_failures == 1)
    recorder.frame("fake", 0, b"y", START + 1)
    recorder.close()
    frames = [e.data for e in RecordingSet.open([tmp_path], topic_of=topic_of).events() if isinstance(e, FrameReceived)]
    assert frames == [b"x", b"y"]  # what waited before the mistake is kept
    capsys.readouterr()


def medians(values: Iterator[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def test_a_frame_costs_the_loop_well_under_2_us_and_reading_is_fast(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    recorder = Recorder(tmp_path, 1.0, max_pending_bytes=1 << 30)
    recorder.start()
    data = [b'{"stream":"btcusdt@bookTicker","data":{"u":%d,"b":"61800.20"}}' % number for number in range(1000)]
    costs: list[float] = []
    for batch in range(100):
        start = time.perf_counter()
        for number, frame in enumerate(data):
            recorder.frame("binance_usdm", 0, frame, START + batch * 1000 + number)
        costs.append((time.perf_counter() - start) / len(data))
    recorder.close()
    (path,) = tmp_path.iterdir()
    speeds: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        count = sum(1 for _ in Recording(path).events())
        speeds.append(count / (time.perf_counter() - start))
    record_property("recorder_us_per_frame", medians(iter(costs)) * 1e6)
    record_property("reader_frames_per_second", max(speeds))
    print(f"recorder: {medians(iter(costs)) * 1e6:.2f} us a frame; reader: {max(speeds) / 1e3:.0f} k frames/s")
    assert medians(iter(costs)) < 2e-6
    assert max(speeds) > 200_000
