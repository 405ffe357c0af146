"""Which REST request may go when, sans-I/O: weight, priorities, fairness, back-off, halts.

Each venue has a budget of its own, also where two venues of one exchange share one limit of the address. Their shares
(0.3 by default) add up to less than the whole; and where the venue tells what the address used, each reads the other's spending
from its own replies and stops at SAFE_SHARE. What the other spends between two of our replies is at most its `concurrency`
requests on the wire, some percent of the limit; the rest of SAFE_SHARE covers it. So no pool has to be shared by name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from monitor.clock import SECOND
from monitor.feed.window import SpendWindow
from monitor.venues.base import Limits, RestPurpose, RestRequest

# No socket opens without the first where the venue hands out addresses, and nothing runs without the second; a poll weighs a
# twentieth of a deep snapshot, and a crash that wants many of those must not cost the open interest. The past is asked for last (a start
# asks for all of it at once, and the outer bands are missed sooner), but of deep snapshots there may never be an end: see DEEP_IN_A_ROW.
PRIORITY: tuple[RestPurpose, ...] = ("address", "instruments", "snapshot", "poll", "deep", "history")
DEEP_IN_A_ROW = 4  # while the past waits; then one request for it goes first
SAFE_SHARE = (
    0.9  # of the venue's whole limit, ours and that of others at this address: beyond, we wait for its window to pass
)
RATE_LIMIT_ATTEMPTS = 5  # a request that is rate limited as often is answered as failed
RATE_LIMIT_CAP = 300 * SECOND  # of our own doubling; what the venue states is kept however long
COOL_BASE, COOL_CAP = (
    SECOND // 2,
    30 * SECOND,
)  # before a market's failed request may go again: a caller that asks at once makes no loop
FOREVER = 2**63 - 1

Identity = tuple[str, str, str]  # (market, purpose, key): one of each queued or on the wire


def identity(request: RestRequest) -> Identity:
    return (request.symbol or "", request.purpose, request.key)


class RestBudget:
    """The queue of one venue. Times are integer ns and must not step back."""

    def __init__(self, limits: Limits, ratio: float, concurrency: int) -> None:
        self._limit = limits.rest_weight
        self._window = int(limits.rest_window_seconds * SECOND)
        self._own = SpendWindow(max(1, int(limits.rest_weight * ratio)), self._window)
        self._concurrency = concurrency
        self._queues: dict[str, dict[str, deque[RestRequest]]] = {purpose: {} for purpose in PRIORITY}
        self._held: set[Identity] = set()  # queued or on the wire
        self._on_wire = 0
        self._wire_weight = 0
        self._cool: dict[Identity, tuple[int, int]] = {}  # failures in a row, not before
        self._attempts: dict[Identity, int] = {}
        self._deep_in_a_row = 0
        self._paused_until = 0
        self._rate_limited = 0  # in a row
        self._halted_until = 0
        self._probing = False  # after a halt: one request at a time until one succeeds
        self._header: tuple[int, int] | None = None  # (at, weight used by this address), from the venue
        self._since_header = 0  # weight we sent after it

    # -- asking
    def submit(self, request: RestRequest, at: int) -> bool:
        """Queues `request`; False when the same is queued or on the wire already."""
        who = identity(request)
        if who in self._held:
            return False
        self._held.add(who)
        self._queues[request.purpose].setdefault(who[0], deque()).append(request)
        return True

    def take(self, at: int) -> RestRequest | None:
        """The next request that may go now; it is on the wire from here on. None: see `wake_at`."""
        if self._on_wire >= (1 if self._probing else self._concurrency) or at < self._blocked_until():
            return None
        for request in self._in_order():
            if self._cool.get(identity(request), (0, 0))[1] > at:
                continue
            if self._free_at(request.weight, at) > at:
                return None  # lighter work of less worth must not starve it
            self._send(request, at)
            return request
        return None

    def wake_at(self, at: int) -> int | None:
        """When `take` may have something; None: not before a reply or a new request."""
        if self._on_wire >= (1 if self._probing else self._concurrency):
            return None
        blocked = self._blocked_until()
        if blocked == FOREVER:
            return None
        best: int | None = None
        for request in self._in_order():
            when = max(blocked, self._cool.get(identity(request), (0, 0))[1])
            if when > at:
                best = when if best is None else min(best, when)
                continue
            when = self._free_at(request.weight, at)
            return when if best is None else min(best, when)  # `take` looks no further either
        return best

    # -- what came of it
    def succeeded(self, request: RestRequest) -> None:
        self._done(request)
        self._cool.pop(identity(request), None)
        self._rate_limited = 0
        self._probing = False

    def failed(self, request: RestRequest, at: int) -> None:
        """Given up in this attempt; the same request cools down."""
        self._done(request)
        who = identity(request)
        failures = self._cool.get(who, (0, 0))[0]
        self._cool[who] = (failures + 1, at + min(COOL_CAP, COOL_BASE << min(failures, 8)))

    def rate_limited(self, request: RestRequest, at: int, seconds: float) -> bool:
        """429: the whole venue pauses and the request queues again, first of its kind. False: tried too often, now failed."""
        ours = min(SECOND << min(self._rate_limited, 16), RATE_LIMIT_CAP)
        self._rate_limited += 1
        self._paused_until = max(self._paused_until, at + max(int(seconds * SECOND), ours))
        return self._again(request, at)

    def halt(self, request: RestRequest, at: int, seconds: float | None) -> int | None:
        """The venue refuses this address: nothing goes before the returned time (None: not in this run). The request stays queued."""
        self._halted_until = (
            FOREVER if seconds is None else max(self._halted_until, at + int(max(seconds, 1.0) * SECOND))
        )
        self._probing = True
        self._requeue(request)
        return None if self._halted_until == FOREVER else self._halted_until

    def hold(self, until: int) -> None:
        """The venue refused this address elsewhere (at a handshake): nothing goes before `until`."""
        self._halted_until = max(self._halted_until, until)
        self._probing = True

    def used_weight(self, request: RestRequest, at: int, used: int) -> None:
        """The venue's own count of the weight this address has used, as the reply to `request` says; before that reply's outcome."""
        self._header = (at, used)
        self._since_header = self._wire_weight - request.weight  # it may not hold what is still on the way

    def used_ratio(self, at: int) -> float:
        """Share of the venue's whole limit in use: by its own count where it gives one and that is more."""
        return max(self._own.used(at), self._others(at)) / self._limit

    def halted(self, at: int) -> bool:
        return at < self._halted_until

    @property
    def queued(self) -> int:
        return sum(len(queue) for markets in self._queues.values() for queue in markets.values())

    # -- inside
    def _blocked_until(self) -> int:
        return max(self._paused_until, self._halted_until)

    def _in_order(self) -> Iterator[RestRequest]:
        due = self._deep_in_a_row >= DEEP_IN_A_ROW and bool(self._queues["history"])
        order = (*PRIORITY[:-2], "history", "deep") if due else PRIORITY
        for purpose in order:
            for queue in self._queues[purpose].values():
                yield from queue

    def _send(self, request: RestRequest, at: int) -> None:
        market = request.symbol or ""
        markets = self._queues[request.purpose]
        queue = markets.pop(market)
        queue.remove(request)
        if queue:
            markets[market] = queue  # to the end: the other markets come first
        if request.purpose == "history":
            self._deep_in_a_row = 0
        elif request.purpose == "deep":
            self._deep_in_a_row = self._deep_in_a_row + 1 if self._queues["history"] else 0
        self._own.spend(at, request.weight)
        self._since_header += request.weight
        self._wire_weight += request.weight
        self._on_wire += 1

    def _others(self, at: int) -> int:
        """What the venue would count now, at most: its last figure and what we sent since; 0 once its window has passed."""
        if self._header is None or at - self._header[0] >= self._window:
            return 0
        return self._header[1] + self._since_header

    def _free_at(self, weight: int, at: int) -> int:
        when = self._own.free_at(at, weight)
        if self._header is not None and self._others(at) + weight > self._limit * SAFE_SHARE:
            # The venue's window is fixed and its phase unknown: after a whole one the figure is stale for certain.
            when = max(when, self._header[0] + self._window)
        return when

    def _done(self, request: RestRequest) -> None:
        who = identity(request)
        self._on_wire -= 1
        self._wire_weight -= request.weight
        self._held.discard(who)
        self._attempts.pop(who, None)

    def _again(self, request: RestRequest, at: int) -> bool:
        who = identity(request)
        attempts = self._attempts.get(who, 0) + 1
        if attempts >= RATE_LIMIT_ATTEMPTS:
            self.failed(request, at)
            return False
        self._attempts[who] = attempts
        self._requeue(request)
        return True

    def _requeue(self, request: RestRequest) -> None:
        self._on_wire -= 1
        self._wire_weight -= request.weight
        markets = self._queues[request.purpose]
        queue = markets.pop(request.symbol or "", deque())
        queue.appendleft(request)
        self._queues[request.purpose] = {request.symbol or "": queue, **markets}
