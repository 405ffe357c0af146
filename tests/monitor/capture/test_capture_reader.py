"""Cut, damaged and foreign files open or are refused in one line; files of a run join."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from capture_samples import make_connected, make_frames, sample_events, topic_of, write_file
from mcap.writer import CompressionType, Writer

from monitor.capture.format import Checkpoint, Gap
from monitor.capture.reader import Recording
from monitor.capture.recording_set import LOST_CONNECTION, RecordingSet
from monitor.capture.writer import RecordingWriter
from monitor.errors import RecordingError
from monitor.events import Connected, Disconnected, Event, FrameReceived


def read(path: Path) -> list[Event]:
    return list(Recording(path, topic_of=topic_of).events())


def test_a_file_cut_at_every_fifth_byte_opens_or_is_refused(tmp_path: Path) -> None:
    events = [*sample_events(10), *make_frames(20, 100)]
    whole = write_file(tmp_path / "whole.mcap", events, flush_every=10).read_bytes()
    cut = tmp_path / "cut.mcap"
    messages: list[str] = []
    best = opened = opened_before_refusal = 0
    for size in range(0, len(whole), 5):
        cut.write_bytes(whole[:size])
        try:
            recording = Recording(cut, topic_of=topic_of)
        except RecordingError as error:
            messages.append(str(error))
            opened_before_refusal += opened  # once a chunk is whole, longer files open too
            continue
        opened += 1
        found = list(recording.events())
        assert found == events[: len(found)]
        assert len(found) % 10 == 0
        assert len(found) >= best
        assert recording.message_count == len(found)
        assert any("cut" in notice or "index" in notice for notice in recording.notices)
        best = len(found)
    assert best == len(events)
    assert opened_before_refusal == 0
    assert not any("\n" in message for message in messages)
    assert opened > len(whole) / 15


def test_changed_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    """Seed 7: flips single bytes and short runs anywhere; an error is a RecordingError, what is read is a part of what was written."""
    generator = random.Random(7)
    events = [*sample_events(10), *make_frames(60, 100)]
    whole = write_file(tmp_path / "whole.mcap", events, flush_every=15).read_bytes()
    path = tmp_path / "hurt.mcap"
    messages: list[str] = []
    read_whole = refused = partly = 0
    for _ in range(500):
        data = bytearray(whole)
        at = generator.randrange(len(data))
        for i in range(at, min(len(data), at + generator.choice((1, 1, 4, 30)))):
            data[i] = generator.randrange(256)
        path.write_bytes(data)
        try:
            found = read(path)
        except RecordingError as error:
            messages.append(str(error))
            refused += 1
            continue
        read_whole += found == events
        partly += found != events
        remaining = iter(events)
        assert all(any(event == other for other in remaining) for event in found)  # in order, nothing made up
    assert min(read_whole, refused, partly) > 5
    assert not any("\n" in message for message in messages)


def test_a_damaged_chunk_in_the_middle_is_a_gap(tmp_path: Path) -> None:
    events = make_frames(30)
    path = write_file(tmp_path / "x.mcap", events, flush_every=10)
    data = bytearray(path.read_bytes())
    second = data.find(b"zstd", data.find(b"zstd") + 4)
    data[second + 20] ^= 0xFF
    path.write_bytes(data)
    recording = Recording(path, topic_of=topic_of)
    gaps: list[Gap] = []
    assert list(recording.events(on_gap=gaps.append)) == events[:10] + events[20:]
    assert [gap.reason for gap in gaps] == ["damaged"]
    assert "left out" in recording.notices[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\x89MCAP0", "cut before its first event"),
        (b"\x89MCAP0\r\n", "cut before its first event"),
        (b'{"stream":"btcusdt@depth"}\n', "undertow import"),
        (b"\x00" * 5000, "not an MCAP file"),
        (b"\x89MCAP0\r\n" + b"\xff" * 5000, "cut before its first event"),
    ],
)
def test_foreign_files_are_refused_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.mcap"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message) as caught:
        Recording(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        Recording(tmp_path / "none.mcap")
    with pytest.raises(RecordingError, match="directory"):
        Recording(tmp_path)
    with pytest.raises(RecordingError, match=r"holds no \.mcap file"):
        RecordingSet.open([tmp_path])
    with pytest.raises(RecordingError, match="no recording given"):
        RecordingSet.open([])


def other_mcap(path: Path, profile: str, metadata: dict[str, str] | None, compression: CompressionType) -> Path:
    with path.open("wb") as file:
        writer = Writer(file, compression=compression)
        writer.start(profile=profile)
        if metadata is not None:
            writer.add_metadata("undertow", metadata)
        channel = writer.register_channel("frames/fake/0", "raw", 0)
        writer.add_message(channel, log_time=5, data=b"hello", publish_time=5)
        writer.finish()
    return path


METADATA = {"version": "9.9", "instance": "i", "schema": "1", "created": "5", "run": "r", "part": "0"}


def test_mcap_of_other_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="profile 'ros1'"):
        Recording(other_mcap(tmp_path / "a.mcap", "ros1", None, CompressionType.ZSTD))
    with pytest.raises(RecordingError, match="cut before"):
        Recording(other_mcap(tmp_path / "b.mcap", "undertow", None, CompressionType.ZSTD))
    with pytest.raises(RecordingError, match=r"schema 2.*use Undertow 9\.9"):
        Recording(other_mcap(tmp_path / "c.mcap", "undertow", METADATA | {"schema": "2"}, CompressionType.ZSTD))
    with pytest.raises(RecordingError, match="no usable Undertow metadata"):
        Recording(other_mcap(tmp_path / "d.mcap", "undertow", {"version": "1"}, CompressionType.ZSTD))


@pytest.mark.parametrize("compression", [CompressionType.ZSTD, CompressionType.NONE])
def test_a_file_rewritten_by_another_tool_still_reads(tmp_path: Path, compression: CompressionType) -> None:
    path = other_mcap(tmp_path / "x.mcap", "undertow", METADATA, compression)
    assert read(path) == [FrameReceived(5, "fake", 0, b"hello")]


def write_part(path: Path, events: list[Event], run: str, part: int, repeated: int = 0) -> Path:
    writer = RecordingWriter(path, instance="i", run=run, part=part, created=events[0].at)
    if repeated:
        writer.event(Checkpoint(events[0].at, repeated))
    for event in events:
        writer.write(event)
    writer.container.close()
    return path


def test_parts_of_a_run_join_without_repeating_state(tmp_path: Path) -> None:
    first = [make_connected(1), *make_frames(5, 10)]
    second = [make_connected(20), *make_frames(5, 20)]
    write_part(tmp_path / "b.mcap", second, "r", 1, repeated=1)
    write_part(tmp_path / "a.mcap", first, "r", 0)
    both = RecordingSet.open([tmp_path], topic_of=topic_of)
    done: list[int] = []
    assert list(both.events(progress=done.append)) == first + second[1:]
    assert done == sorted(done)
    assert done[-1] <= both.size
    assert (both.start, both.end, both.message_count) == (1, 24, 13)
    alone = Recording(tmp_path / "b.mcap", topic_of=topic_of)
    assert list(alone.events()) == second


def test_files_that_do_not_join_end_their_connections(tmp_path: Path) -> None:
    first = [make_connected(1, 0), make_connected(2, 1), Disconnected(3, "fake", 1, "silent"), *make_frames(3, 10)]
    second = [make_connected(20, 0), *make_frames(3, 20)]
    write_part(tmp_path / "a.mcap", first, "r", 0)
    write_part(tmp_path / "b.mcap", second, "r", 2, repeated=1)  # part 1 was deleted by the cap
    found = list(RecordingSet.open([tmp_path], topic_of=topic_of).events())
    assert found == [*first, Disconnected(20, "fake", 0, LOST_CONNECTION), *second]
    assert sum(isinstance(event, Connected) for event in found) == 3


def test_a_folder_is_read_although_one_file_holds_nothing(tmp_path: Path) -> None:
    events = make_frames(3)
    write_part(tmp_path / "a.mcap", events, "r", 0)
    (tmp_path / "b.mcap").write_bytes((tmp_path / "a.mcap").read_bytes()[:100])  # killed within its first second
    both = RecordingSet.open([tmp_path], topic_of=topic_of)
    assert list(both.events()) == events
    assert len(both.notices) == 1
    assert "b.mcap" in both.notices[0]
    (tmp_path / "a.mcap").unlink()
    with pytest.raises(RecordingError, match=r"b\.mcap"):
        RecordingSet.open([tmp_path])


def test_a_growing_file_reads_as_far_as_it_is_whole(tmp_path: Path) -> None:
    writer = RecordingWriter(tmp_path / "x.mcap", instance="i", run="r", part=0, created=10)
    events = make_frames(30)
    for event in events[:20]:
        writer.write(event)
    writer.container.flush()
    for event in events[20:]:
        writer.write(event)
    recording = Recording(tmp_path / "x.mcap", topic_of=topic_of)
    assert list(recording.events()) == events[:20]
    writer.container.close()
    assert list(recording.events()) == events[:20]  # what was opened stays what it was
    assert read(tmp_path / "x.mcap") == events


def test_files_of_two_recorders_are_not_mixed(tmp_path: Path) -> None:
    minute = 60 * 10**9
    write_part(tmp_path / "a.mcap", [*make_frames(1, 10), *make_frames(1, 10 + 5 * minute)], "r", 0)
    write_part(tmp_path / "b.mcap", make_frames(1, 10 + 3 * minute), "other", 0)
    with pytest.raises(RecordingError, match="overlap in time"):
        RecordingSet.open([tmp_path])
