"""Names of recording files, and the size cap: the oldest files of this instance go first, nobody else's ever.

A file is ours to delete when its name has our pattern, its head says our profile and instance, and no process holds its lock.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from mcap.opcode import Opcode

from monitor.capture import records
from monitor.capture.format import METADATA_NAME, PROFILE

_NAME: Final = re.compile(r"undertow-(\d{8}T\d{6}Z)(?:-(\d+))?\.mcap")
_SECOND: Final = 1_000_000_000
MAX_SAME_SECOND: Final = 1000  # files begun within one second; more means that something deletes or creates in a loop


@dataclass(frozen=True, slots=True, order=True)
class OwnFile:
    stamp: str
    number: int
    path: Path
    size: int


def file_name(at: int, number: int = 0) -> str:
    """`undertow-YYYYMMDDTHHMMSSZ.mcap` for a first event at `at` (ns); `number` tells apart files begun in the same second."""
    stamp = datetime.fromtimestamp(at // _SECOND, UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"undertow-{stamp}{f'-{number}' if number else ''}.mcap"


def own_files(directory: Path, instance: str) -> list[OwnFile]:
    """The recordings of `instance` in the directory, oldest first."""
    found: list[OwnFile] = []
    for path in directory.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is None:
            continue
        try:
            status = path.lstat()
            if stat.S_ISREG(status.st_mode) and _instance(path) == instance:
                found.append(OwnFile(match[1], int(match[2] or 0), path, status.st_size))
        except OSError:
            continue
    return sorted(found)


def delete_oldest(directory: Path, instance: str, limit: int) -> list[Path]:
    """Delete own files, oldest first, until they take `limit` bytes at most; never one in use. Returns the deleted."""
    files = own_files(directory, instance)
    total = sum(file.size for file in files)
    deleted: list[Path] = []
    for file in files:
        if total <= limit:
            break
        if _in_use(file.path):
            continue
        try:
            file.path.unlink()
        except OSError:
            continue
        total -= file.size
        deleted.append(file.path)
    return deleted


def _instance(path: Path) -> str | None:
    """The instance that wrote the file; None: not one of our recordings."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(records.MAGIC)) != records.MAGIC:
            return None
        try:
            for record in records.scan(file, len(records.MAGIC), size):
                content = records.read_content(file, record)
                if record.opcode == Opcode.HEADER and records.parse_header(content)[0] != PROFILE:
                    return None
                if record.opcode == Opcode.METADATA:
                    name, fields = records.parse_metadata(content)
                    return fields.get("instance") if name == METADATA_NAME else None
                if record.opcode == Opcode.CHUNK:
                    return None
        except records.Malformed:
            return None
    return None


def _in_use(path: Path) -> bool:
    """Whether a recorder (any process) holds the file's lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # no locks on this file system, or gone already
    return False
