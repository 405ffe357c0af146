"""The durable outbox: every transition is on disk before it is published and leaves only when the broker took it.

At least once, in order per alert id, one publish in flight per id, once only by (id, sequence) while it waits. The index lives in
memory; bodies beyond the newest few are read back from the state file. `append` costs the caller microseconds whatever the
broker or the disk do.

While the disk refuses, entries are published without having been committed: a warning that arrives beats one that is only
durable in name. They are then lost if the process dies first; the state store says so once.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Final

from monitor.alerts.evaluator import OpenAlert, Transition, open_alert_of
from monitor.alerts.life import SEVERITIES
from monitor.alerts.topics import Message, TopicError, Topics
from monitor.errors import StateError
from monitor.state import StateStore

MAX_ROWS: Final = 100_000  # contract
MAX_BODIES: Final = 2_000  # newest bodies kept in memory, about 4 MB; a long outage must not fill it with the rest


@dataclass(slots=True)
class Entry:
    """One transition on its way. `received_at`: of the frame that caused it, None after a restart or when a timer did."""

    row: int
    id: str
    sequence: int
    severity: int  # index in SEVERITIES
    asset: str
    kind: str
    subject: str
    at: int
    body: bytes | None
    received_at: int | None
    committed: bool
    in_flight: bool = False


class Outbox:
    """Appended to by the engine, emptied by the publisher, both in the loop's thread."""

    def __init__(self, store: StateStore, topics: Topics, limit: int = MAX_ROWS) -> None:
        self.dropped: dict[str, int] = dict.fromkeys(SEVERITIES, 0)  # by severity: crossings of the bound
        self.unreadable = 0  # rows of the state file that are no alert
        self._store = store
        self._topics = topics
        self._limit = limit
        self._ranks: tuple[OrderedDict[int, Entry], ...] = tuple(OrderedDict() for _ in SEVERITIES)
        self._lanes: dict[str, deque[Entry]] = {}
        self._keys: set[tuple[str, int]] = set()
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._parked: set[str] = set()
        self._bodies: deque[Entry] = deque()
        self._next_row = 1
        self._committed: deque[Entry] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()
        self._settled = asyncio.Event()

    # -- start
    def load(self) -> tuple[OpenAlert, ...]:
        """Read what a former run left: rows to publish, and the open alerts to restore. Blocks: before the loop runs.

        Raises:
            StateError: the state file cannot be read.
        """
        rows, alerts = self._store.query(_read_all).result()
        for row, identity, sequence, severity, asset, kind, subject, at in rows:
            self._next_row = max(self._next_row, row + 1)
            rank = min(max(severity, 0), len(SEVERITIES) - 1)
            entry = Entry(row, identity, sequence, rank, asset, kind, subject, at, None, None, committed=True)
            try:
                self._topics.alert(asset, kind, subject)
            except TopicError:
                self.unreadable += 1
                self._delete(entry)
                continue
            self._admit(entry)
        found: list[OpenAlert] = []
        for body, opened_at in alerts:
            try:
                found.append(open_alert_of(body, opened_at))
            except ValueError:
                self.unreadable += 1
        return tuple(found)

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop whose thread appends and takes."""
        self._loop = loop
        loop.call_soon(self._take_commits)

    # -- the engine's side
    def append(self, transition: Transition) -> None:
        """Keep one transition, and with it the open alert as it now stands, in one commit."""
        payload = transition.payload
        entry = Entry(
            row=self._next_row,
            id=payload.id,
            sequence=payload.sequence,
            severity=SEVERITIES.index(payload.severity),
            asset=payload.asset,
            kind=payload.kind,
            subject=payload.subject,
            at=transition.at,
            body=transition.body,
            received_at=transition.received_at,
            committed=False,
        )
        if (entry.id, entry.sequence) in self._keys:
            return
        self._next_row += 1
        self._make_room(entry)
        kept = self._admit(entry) if len(self) < self._limit else False
        closed = payload.transition == "closed"
        opened_at = transition.opened_at

        def work(connection: sqlite3.Connection) -> None:
            if kept:
                connection.execute(
                    "INSERT OR IGNORE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (entry.row, entry.id, entry.sequence, entry.severity, entry.asset, entry.kind, entry.subject,
                     transition.body, entry.at),
                )  # fmt: skip
            key = (entry.asset, entry.kind, entry.subject)
            if closed:
                connection.execute("DELETE FROM open_alerts WHERE asset = ? AND kind = ? AND subject = ?", key)
            else:
                connection.execute(
                    "INSERT OR REPLACE INTO open_alerts VALUES (?, ?, ?, ?, ?)", (*key, opened_at, transition.body)
                )

        self._store.submit(work, (lambda _: self._on_commit(entry)) if kept else None)

    def __len__(self) -> int:
        return sum(len(rank) for rank in self._ranks)

    @property
    def oldest_at(self) -> int | None:
        """Event time (ns) of the oldest transition that waits; None: nothing waits."""
        heads = [next(iter(rank.values())) for rank in self._ranks if rank]
        return min(heads, key=lambda entry: entry.row).at if heads else None

    # -- the publisher's side
    async def take(self) -> Entry:
        """The next entry that may be published; it is in flight until acknowledged, failed or parked."""
        while (entry := self.take_now()) is None:
            self._woken.clear()
            await self._woken.wait()
        return entry

    def take_now(self) -> Entry | None:
        while self._ready:
            identity, _ = self._ready.popitem(last=False)
            lane = self._lanes.get(identity)
            if lane and not lane[0].in_flight and self._may_go(lane[0]):
                lane[0].in_flight = True
                return lane[0]
        return None

    async def message(self, entry: Entry) -> Message:
        """The entry as it goes out.

        Raises:
            StateError: its body cannot be read back now.
        """
        if entry.body is None:
            row = await asyncio.wrap_future(self._store.query(lambda c: _read_body(c, entry.row)))
            if row is None:
                raise StateError(f"{self._store.path}: outbox row {entry.row} is gone")
            entry.body = row
            self._remember_body(entry)
        return Message(self._topics.alert(entry.asset, entry.kind, entry.subject), entry.body)

    def acknowledged(self, entry: Entry) -> None:
        """The broker took it: the row goes, the next one of its alert may."""
        entry.in_flight = False
        self._forget(entry)
        self._delete(entry)
        self._offer(entry.id)
        self._settled.set()

    def failed(self, entry: Entry) -> None:
        """Not acknowledged: it stays first of its alert and may be tried again at once."""
        entry.in_flight = False
        self._offer(entry.id)

    def parked(self, entry: Entry) -> None:
        """The broker refused it: its alert waits for `unpark`, the others go on."""
        entry.in_flight = False
        if entry.id in self._lanes:
            self._parked.add(entry.id)
        self._settled.set()

    def unpark(self) -> None:
        """Try what was refused again (after a reconnect, and now and then)."""
        parked, self._parked = sorted(self._parked), set()
        for identity in parked:
            self._offer(identity)

    async def drained(self) -> None:
        """Return once nothing is left that a broker would take."""
        while self.waiting:
            self._settled.clear()
            await self._settled.wait()

    @property
    def waiting(self) -> bool:
        """Whether anything is left that a broker which does not refuse it would take."""
        return len(self._lanes) > len(self._parked)

    def poll(self) -> None:
        """Offer what the disk refuses to commit; called about once a second."""
        if self._store.fault:
            for identity in self._lanes:
                self._offer(identity)

    # -- inside
    def _admit(self, entry: Entry) -> bool:
        self._ranks[entry.severity][entry.row] = entry
        self._keys.add((entry.id, entry.sequence))
        self._lanes.setdefault(entry.id, deque()).append(entry)
        if entry.body is not None:
            self._remember_body(entry)
        if entry.committed:
            self._offer(entry.id)
        return True

    def _make_room(self, newcomer: Entry) -> None:
        """At the bound, the oldest of the least severe goes; a newcomer less severe than all that waits goes itself."""
        if len(self) < self._limit:
            return
        for rank in self._ranks[: newcomer.severity + 1]:
            victim = next((entry for entry in rank.values() if not entry.in_flight), None)
            if victim is not None:
                self.dropped[SEVERITIES[victim.severity]] += 1
                self._forget(victim)
                self._delete(victim)
                self._offer(victim.id)
                return
        self.dropped[SEVERITIES[newcomer.severity]] += 1

    def _forget(self, entry: Entry) -> None:
        if self._ranks[entry.severity].pop(entry.row, None) is None:
            return
        self._keys.discard((entry.id, entry.sequence))
        lane = self._lanes[entry.id]
        lane.remove(entry)
        entry.body = None
        if not lane:
            del self._lanes[entry.id]
            self._parked.discard(entry.id)

    def _delete(self, entry: Entry) -> None:
        self._store.submit(lambda c: c.execute("DELETE FROM outbox WHERE row = ?", (entry.row,)))

    def _may_go(self, entry: Entry) -> bool:
        return entry.committed or bool(self._store.fault)

    def _offer(self, identity: str) -> None:
        lane = self._lanes.get(identity)
        if lane and identity not in self._parked and not lane[0].in_flight and self._may_go(lane[0]):
            self._ready[identity] = None
            self._woken.set()

    def _remember_body(self, entry: Entry) -> None:
        self._bodies.append(entry)
        while len(self._bodies) > MAX_BODIES:
            oldest = self._bodies.popleft()
            if oldest.committed and not oldest.in_flight:
                oldest.body = None

    def _on_commit(self, entry: Entry) -> None:
        """In the writer thread."""
        self._committed.append(entry)
        loop = self._loop
        if loop is not None and len(self._committed) == 1:
            try:
                loop.call_soon_threadsafe(self._take_commits)
            except RuntimeError:
                return  # the loop is closed: the row is on disk for the next run

    def _take_commits(self) -> None:
        while self._committed:
            entry = self._committed.popleft()
            entry.committed = True
            self._offer(entry.id)


def _read_all(
    connection: sqlite3.Connection,
) -> tuple[list[tuple[int, str, int, int, str, str, str, int]], list[tuple[bytes, int]]]:
    rows = connection.execute(
        "SELECT row, id, sequence, severity, asset, kind, subject, at FROM outbox ORDER BY row"
    ).fetchall()
    alerts = connection.execute("SELECT body, opened_at FROM open_alerts ORDER BY opened_at, asset, kind, subject")
    return rows, alerts.fetchall()


def _read_body(connection: sqlite3.Connection, row: int) -> bytes | None:
    found = connection.execute("SELECT body FROM outbox WHERE row = ?", (row,)).fetchone()
    return None if found is None else bytes(found[0])
