"""Durable state in one SQLite file: the outbox, open alerts, baselines. One writer thread owns the connection.

Callers hand over work and go on; nothing here blocks the loop. Work is done in order, many pieces to a transaction, and the
transaction is on disk (fsync) before anyone is told it is done. While the disk refuses, work is kept in memory in order, tried
again, counted and said once. What is not promised: work handed over less than one commit before a kill is not on disk.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import orjson
import structlog

from monitor.errors import StateError

SCHEMA_VERSION: Final = 1
MAX_BATCH: Final = 512  # pieces of work in one transaction: bounds how much is repeated when a commit fails
MAX_WAITING: Final = (
    400_000  # pieces of work kept while the disk refuses: the outbox bound, its deletes and the baselines
)
RETRY_SECONDS: Final = (0.25, 0.5, 1.0, 2.0, 5.0)  # between attempts while the disk refuses
BUSY_SECONDS: Final = 5.0  # how long a reader from outside (a person with sqlite3) may hold the file

_SCHEMA: Final = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
INSERT INTO schema_version VALUES (1);
CREATE TABLE outbox (
    row INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    severity INTEGER NOT NULL,
    asset TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    body BLOB NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (id, sequence)
);
CREATE TABLE open_alerts (
    asset TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (asset, kind, subject)
);
CREATE TABLE kv (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    value_json BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
"""

# Errors of the disk, which may pass. Any other is one of what was asked: trying that again would block the queue for ever.
_MAY_PASS: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]


_PUT: Final = "INSERT OR REPLACE INTO kv VALUES (?, ?, ?, ?)"


@dataclass(slots=True)
class _Piece:
    work: Work
    done: Callable[[Any], None] | None  # called in the writer thread, after the commit
    future: Future[Any] | None  # for readers, who would rather know than wait


class StateStore:
    """The state file. `open` it before the loop starts (it blocks), `close` it last.

    `fault`: one line while the disk refuses, "" otherwise. `write_failures`: failed commits since start.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: int) -> None:
        self.path = path
        self.fault = ""
        self.write_failures = 0
        self.dropped = 0  # pieces of work lost because MAX_WAITING was reached
        self._connection = connection
        self._lock_descriptor = lock
        self._pieces: deque[_Piece] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._log = structlog.get_logger("state")
        self._thread = threading.Thread(target=self._run, name="undertow-state", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the file and its folder.

        Raises:
            StateError: not writable, in use by another process, not a database, damaged, or of a newer Undertow.
        """
        lock = _lock(path)
        try:
            return cls(path, _connect(path), lock)
        except BaseException:
            os.close(lock)
            raise

    def submit(self, work: Work, done: Callable[[Any], None] | None = None) -> None:
        """Do `work` in a transaction, in order, and call `done` with its result in the writer thread once it is committed."""
        self._put(_Piece(work, done, None))

    def query(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Read in the writer thread, after everything submitted before. Raises StateError through the future while the disk refuses."""
        future: Future[T] = Future()
        self._put(_Piece(work, None, future))
        return future

    def put(self, kind: str, key: str, value: object, at: int) -> None:
        """Keep a JSON-able `value` under (kind, key). `at`: ns, for whoever reads it back."""
        body = orjson.dumps(value)
        self.submit(lambda c: c.execute(_PUT, (kind, key, body, at)))

    def put_rows(self, rows: Iterable[tuple[str, str, object, int]]) -> None:
        """Keep many (kind, key, value, at) at once. `rows` is walked and encoded in the writer thread: it must not change meanwhile."""
        encoded: list[tuple[str, str, bytes, int]] = []

        def work(connection: sqlite3.Connection) -> None:
            if not encoded:  # a second try after a full disk finds the iterator used up
                encoded.extend((kind, key, orjson.dumps(value), at) for kind, key, value, at in rows)
            connection.executemany(_PUT, encoded)

        self.submit(work)

    def remove(self, kind: str, key: str) -> None:
        self.submit(lambda c: c.execute("DELETE FROM kv WHERE kind = ? AND key = ?", (kind, key)))

    def remove_older(self, kind: str, at: int) -> None:
        """Forget every row of a kind that was kept before `at` (ns)."""
        self.submit(lambda c: c.execute("DELETE FROM kv WHERE kind = ? AND at < ?", (kind, at)))

    def all(self, kind: str) -> dict[str, tuple[Any, int]]:
        """Every (value, at) of a kind, by key. Blocks: for the start, before the loop. Values that are no JSON are left out."""
        rows = self.query(
            lambda c: c.execute("SELECT key, value_json, at FROM kv WHERE kind = ? ORDER BY key", (kind,)).fetchall()
        ).result()
        found: dict[str, tuple[Any, int]] = {}
        for key, body, at in rows:
            try:
                found[key] = (orjson.loads(body), at)
            except ValueError:
                continue
        return found

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything submitted before is on disk; False when it is not within `timeout` seconds. Blocks."""
        done = threading.Event()
        self.submit(lambda c: None, lambda _: done.set())
        return done.wait(timeout)

    def close(self, timeout: float = 5.0) -> bool:
        """Commit what waits and close; False when the disk refused to the end. Blocks up to `timeout` seconds."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._pieces

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, piece: _Piece) -> None:
        with self._wake:
            if self._closing:
                if piece.future is not None:
                    piece.future.set_exception(StateError(f"{self.path}: already closed"))
                return
            if len(self._pieces) >= MAX_WAITING:
                self.dropped += 1
                return
            self._pieces.append(piece)
            self._wake.notify()

    def _run(self) -> None:
        attempt = 0
        try:
            while True:
                with self._wake:
                    while not self._pieces and not self._closing:
                        self._wake.wait()
                    batch = [self._pieces.popleft() for _ in range(min(len(self._pieces), MAX_BATCH))]
                    closing = self._closing
                if not batch:
                    return
                try:
                    results = self._commit(batch)
                except Exception as error:
                    if not _may_pass(error):
                        self._commit_singly(batch, error)
                        continue
                    self._failed(error, batch)
                    if closing:
                        return
                    with self._wake:
                        self._wake.wait_for(lambda: self._closing, RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                    attempt += 1
                    continue
                attempt = 0
                if self.fault:
                    self._log.info("state file can be written again", path=str(self.path))
                    self.fault = ""
                for piece, result in zip(batch, results, strict=True):
                    _tell(piece, result)
        finally:
            self._connection.close()
            os.close(self._lock_descriptor)

    def _commit(self, batch: list[_Piece]) -> list[Any]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            results = [piece.work(connection) for piece in batch]
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return results

    def _commit_singly(self, batch: list[_Piece], first: Exception) -> None:
        """One piece of the batch can never be done (a value SQLite cannot hold): leave that one out, say so, keep the others."""
        if len(batch) > 1:
            with self._wake:
                self._pieces.extendleft(reversed(batch[1:]))
            try:
                results = self._commit(batch[:1])
            except Exception as error:
                if _may_pass(error):
                    self._failed(error, batch[:1])
                    return
                first = error
            else:
                _tell(batch[0], results[0])
                return
        self.dropped += 1
        self._log.error("left out of the state file", path=str(self.path), reason=repr(first))
        if batch[0].future is not None:
            batch[0].future.set_exception(StateError(f"{self.path}: {first}"))

    def _failed(self, error: Exception, batch: list[_Piece]) -> None:
        """Put the batch back in front; readers get the error, they ask again when they want to."""
        self.write_failures += 1
        text = f"{self.path}: {_reason(error)}; alerts are still delivered, writing is tried again"
        if not self.fault:
            self._log.error("state file cannot be written", path=str(self.path), reason=_reason(error))
        self.fault = text
        keep: list[_Piece] = []
        for piece in batch:
            if piece.future is not None:
                piece.future.set_exception(StateError(text))
            else:
                keep.append(piece)
        with self._wake:
            self._pieces.extendleft(reversed(keep))


def _may_pass(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)  # extended codes carry the primary one in their low byte
    return isinstance(error, sqlite3.Error) and code is not None and (code & 0xFF) in _MAY_PASS


def _tell(piece: _Piece, result: Any) -> None:
    if piece.future is not None:
        if piece.future.set_running_or_notify_cancel():
            piece.future.set_result(result)
    elif piece.done is not None:
        piece.done(result)


def _lock(path: Path) -> int:
    """A lock the kernel drops with the process, also on kill -9: two services on one file would publish each other's alerts."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror or error}; give this user the folder or set state.path to one it can write"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StateError(f"{path}: in use by another Undertow; stop it or give this one its own state.path") from None
    return descriptor


def _connect(path: Path) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit is on disk before a publish is tried, also when the machine loses power (0.3 ms here).
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, path)
        # A read-only file or folder shows only when something is written.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE schema_version SET version = version")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise StateError(f"{path}: {_reason(error)}") from None
    except StateError:
        if connection is not None:
            connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        return
    if "schema_version" not in tables:
        raise StateError(f"{path}: a database of something else; set state.path to another file")
    (version,) = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    if version is None or version > SCHEMA_VERSION:
        raise StateError(
            f"{path}: written by a newer Undertow (schema {version}, this one knows {SCHEMA_VERSION});"
            " upgrade, or set state.path to another file"
        )


def _reason(error: Exception) -> str:
    """One line that says what to do."""
    text = str(error)
    if "disk is full" in text:
        return "the disk is full; make room"
    if "readonly" in text or "unable to open" in text:
        return "cannot be written; give this user the file and its folder, or set state.path to one it can write"
    if "not a database" in text or "malformed" in text:
        return "not a readable SQLite database; move it away, a new one is made"
    if "locked" in text:
        return "locked by another program; close what has it open"
    return text
