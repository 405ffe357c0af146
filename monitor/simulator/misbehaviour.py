"""Misbehaviour on command: what can go wrong at a venue, targeted by venue, market, channel and count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from monitor.errors import SettingsError
from monitor.facts import Channel
from monitor.simulator.protocols.base import FAIR, Treatment

SECOND = 1_000_000_000
MAX_FAULTS = 1_000  # standing at once; more is a mistake in the caller
DEFAULT_OVERSIZE = 8 << 20  # bytes: beyond what clients accept as one frame (1 to 4 MiB)

# Kinds by where they strike. The text is shown by GET /faults.
FRAME_KINDS = {
    "gap": "drop the next `count` frames",
    "duplicate": "send each of the next `count` frames twice",
    "reorder": "exchange the next `count` frames with their successors",
    "silence": "acknowledge subscriptions but send nothing, until cleared or for `seconds`",
    "truncate": "cut the next `count` frames in half",
    "garbage_frame": "put a frame that is not JSON before the next `count` frames",
    "oversize_frame": "put a frame of `bytes` before the next `count` frames",
}
SUBSCRIPTION_KINDS = {
    "refuse_subscription": "refuse the next `count` subscriptions in the venue's own words",
    "no_ack": "carry out the next `count` subscriptions without ever confirming them",
}
HTTP_KINDS = {
    "http_429": "answer the next `count` requests with 429 and `retry_after` seconds",
    "http_418": "answer the next `count` requests with 418 and `retry_after` seconds",
    "http_403": "answer the next `count` requests with 403",
    "http_451": "answer the next `count` requests with 451",
    "http_503": "answer the next `count` requests with 503",
    "html": "answer the next `count` requests with a web page instead of JSON",
}
VENUE_KINDS = {
    "stale_snapshot": "answer the next `count` snapshots, over REST or on the stream, with the one of this moment",
    "crossed_book": "one book frame with a bid above the best ask; the next takes it back",
    "restart": "the book service restarts and says so in the venue's own way, or says nothing and the chain breaks",
    "clock_skew": "shift the venue's timestamps by `milliseconds`, until cleared or for `seconds`",
    "disconnect": "cut every socket now",
    "shutdown_notice": "announce the end of every connection, where the venue has words for it; does not cut",
    "outage": "cut every socket, refuse new ones and every request, until cleared or for `seconds`",
    "slow_drip": "let `bytes_per_second` through on every socket, until cleared or for `seconds`",
}
KINDS = FRAME_KINDS | SUBSCRIPTION_KINDS | HTTP_KINDS | VENUE_KINDS
ENDLESS = frozenset({"silence", "clock_skew", "outage", "slow_drip"})  # without `count`: until cleared or timed out
AT_ONCE = frozenset({"crossed_book", "restart", "disconnect", "shutdown_notice"})
OPTIONS = {
    "oversize_frame": {"bytes": DEFAULT_OVERSIZE},
    "http_429": {"retry_after": 5},
    "http_418": {"retry_after": 120},
    "clock_skew": {"milliseconds": -1270},
    "slow_drip": {"bytes_per_second": 2_000},
}


GARBAGE = b'{"topic":"\\ud83d\xef\xbf\xbd,,}{[not json'

Sent = dict[int, bytes]  # one frame as each connection gets it, by its number


@dataclass(slots=True)
class Fault:
    """None matches everything. `left` None: not counted; `until` None: until cleared (ns of the simulator's clock)."""

    number: int
    kind: str
    venue: str | None
    market: str | None
    channel: str | None
    left: int | None
    until: int | None
    options: dict[str, int]
    held: dict[str, Sent] = field(default_factory=dict)  # reorder: frames waiting for their successor, by key
    used: int = 0

    def strikes(self, venue: str, channel: Channel | None, market: str) -> bool:
        return (
            self.venue in (None, venue)
            and (self.market is None or self.market == market)
            and (self.channel is None or self.channel == channel)
        )


class Faults:
    """The standing faults. `on_inject` and `on_end` let the servers act at once (disconnect, skew, outage)."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._numbers = 0
        self.standing: dict[int, Fault] = {}
        self.on_inject: list[Callable[[Fault], None]] = []
        self.on_end: list[Callable[[Fault], None]] = []

    def inject(
        self,
        kind: str,
        *,
        venue: str | None = None,
        market: str | None = None,
        channel: str | None = None,
        count: int | None = None,
        seconds: float | None = None,
        **options: int,
    ) -> Fault:
        """Order a fault. `count` is 1 unless given, for kinds that are not endless.

        Raises:
            SettingsError: unknown kind, channel or option, a count or time that is not positive, too many faults.
        """
        if kind not in KINDS:
            near = get_close_matches(kind, KINDS, 1)
            raise SettingsError(
                f"no fault {kind!r}" + (f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(KINDS)}")
            )
        if channel is not None and channel not in set(Channel):
            raise SettingsError(f"no channel {channel!r}; there are {', '.join(Channel)}")
        known = OPTIONS.get(kind, {})
        if unknown := set(options) - set(known):
            raise SettingsError(
                f"fault {kind!r} has no option {sorted(unknown)[0]!r}; it has: {', '.join(known) or 'none'}"
            )
        if (count is not None and count < 1) or (seconds is not None and seconds <= 0):
            raise SettingsError("count and seconds of a fault must be positive")
        if len(self.standing) >= MAX_FAULTS:
            raise SettingsError(f"more than {MAX_FAULTS} faults stand: clear some")
        self._numbers += 1
        left = count if kind in ENDLESS else count or 1
        until = None if seconds is None else self._now() + int(seconds * SECOND)
        fault = Fault(self._numbers, kind, venue, market, channel, left, until, {**known, **options})
        if kind not in AT_ONCE:
            self.standing[fault.number] = fault
        for call in self.on_inject:
            call(fault)
        return fault

    def clear(self, number: int | None = None) -> None:
        """End one fault, or all."""
        for each in list(self.standing) if number is None else [number]:
            fault = self.standing.pop(each, None)
            if fault is not None:
                for call in self.on_end:
                    call(fault)

    def expire(self) -> None:
        now = self._now()
        for fault in list(self.standing.values()):
            if fault.until is not None and now >= fault.until:
                self.clear(fault.number)

    def find(
        self, kinds: Mapping[str, str] | tuple[str, ...], venue: str, channel: Channel | None, market: str
    ) -> Fault | None:
        for fault in self.standing.values():
            if fault.kind in kinds and fault.strikes(venue, channel, market):
                return fault
        return None

    def spend(self, fault: Fault) -> None:
        """Count one use; the fault ends with its last."""
        fault.used += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left <= 0:
                self.clear(fault.number)

    # -- where the servers ask
    def frames(self, fault: Fault, key: str, sent: Sent) -> list[Sent]:
        """What goes out in place of one frame, as each connection gets it."""
        match fault.kind:
            case "gap":
                self.spend(fault)
                return []
            case "duplicate":
                self.spend(fault)
                return [sent, sent]
            case "truncate":
                self.spend(fault)
                return [{number: data[: len(data) // 2] for number, data in sent.items()}]
            case "garbage_frame":
                self.spend(fault)
                return [dict.fromkeys(sent, GARBAGE), sent]
            case "oversize_frame":
                self.spend(fault)
                return [dict.fromkeys(sent, b'{"padding":"' + b"x" * fault.options["bytes"] + b'"}'), sent]
        held = fault.held.pop(key, None)
        if held is None:
            fault.held[key] = sent
            return []
        self.spend(fault)
        return [sent, held]

    def treatment(self, venue: str, channel: Channel, market: str) -> Treatment:
        fault = self.find(SUBSCRIPTION_KINDS, venue, channel, market)
        if fault is None:
            return FAIR
        self.spend(fault)
        return Treatment(refuse=fault.kind == "refuse_subscription", no_ack=fault.kind == "no_ack")
