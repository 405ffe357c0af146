"""Broken frames: refused, or read as the plain path reads them. Never read differently, never beyond their end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_cases import BookPaths, Case, cases, digest, mutations

from engines.wire.book_scan import scan_book
from engines.wire.layout import OK
from engines.wire.trade_scan import scan_trades

CASES = cases()
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@each_case
def test_the_frame_itself(case: Case) -> None:
    facts = case.paths.scan(case.frame)
    assert not isinstance(facts, str), facts
    assert facts == case.paths.plain(case.frame)


@each_case
def test_every_cut_is_refused(case: Case) -> None:
    """The rest of the frame stands right behind the cut in memory: reading on would find it."""
    whole = np.frombuffer(case.frame, np.uint8)
    for end in range(len(case.frame)):
        paths = case.paths
        if isinstance(paths, BookPaths):
            assert scan_book(whole[:end], paths.compiled.table, paths.header, paths.levels) != OK, case.frame[:end]
        else:
            assert scan_trades(whole[:end], paths.compiled.table, paths.trades) < 0, case.frame[:end]
        assert isinstance(paths.plain(case.frame[:end]), str)


@each_case
def test_every_byte_changed(case: Case) -> None:
    read = 0
    for broken in mutations(case.frame, 7):
        facts = case.paths.scan(broken)
        if not isinstance(facts, str):
            read += 1
            assert facts == case.paths.plain(broken), broken
    assert read > 100, "digits and skipped text can change: some of these frames are good ones"


@each_case
def test_every_byte_left_out_or_doubled(case: Case) -> None:
    frame = case.frame
    for position in range(len(frame)):
        for broken in (frame[:position] + frame[position + 1 :], frame[: position + 1] + frame[position:]):
            facts = case.paths.scan(broken)
            if not isinstance(facts, str):
                assert facts == case.paths.plain(broken), broken


@each_case
def test_anything_after_the_end(case: Case) -> None:
    for byte in range(256):
        facts = case.paths.scan(case.frame + bytes([byte]))
        assert isinstance(facts, str) == (bytes([byte]) not in (b" ", b"\n", b"\r", b"\t"))


pieces = st.sampled_from(
    [*(bytes([byte]) for byte in b'"\\{}[],:09-.e \xff\x00'), b"null", b"true", b'""', b"[]", b"{}", b'["1","1"]']
) | st.sampled_from([b',["5.0","1"]', b'"e":', b'"data":', b'"b":[],', b"\xc3\xa9", b"\xed\xa0\x80"])


@given(
    st.integers(0, len(CASES) - 1),
    st.lists(
        st.tuples(st.integers(0, 400), st.integers(0, 30), pieces | st.binary(max_size=4)), min_size=1, max_size=3
    ),
)
@settings(max_examples=1500)
def test_spliced_frames(number: int, edits: list[tuple[int, int, bytes]]) -> None:
    case = CASES[number]
    broken = case.frame
    for position, length, piece in edits:
        broken = broken[:position] + piece + broken[position + length :]
    facts = case.paths.scan(broken)
    if not isinstance(facts, str):
        assert facts == case.paths.plain(broken)


@given(st.integers(0, len(CASES) - 1), st.binary(max_size=80))
def test_noise(number: int, noise: bytes) -> None:
    assert isinstance(CASES[number].paths.scan(noise), str)


def test_the_same_without_the_compiler() -> None:
    here = Path(__file__).parent
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(here)}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import wire_cases; print(wire_cases.digest())"],
        cwd=here.parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
