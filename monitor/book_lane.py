"""One market's book on one connection: the live book, its recovery, and the frames the scanner leaves to the plain path."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final, Literal

import numpy as np

from engines.book.live_book import LiveBook
from engines.book.memory import MAX_REGIONS, RANGE_FACTOR, REGION_SHIFT, SAFE_LOTS
from engines.book.outcome import Outcome
from engines.wire.errors import WireError
from engines.wire.grammar import BookGrammar
from engines.wire.layout import EVENT_TIME, HEADER_SIZE, MAX_LEVELS
from engines.wire.plain import plain_book, plain_text_levels
from engines.wire.scale import Scale
from monitor.clock import SECOND
from monitor.errors import FrameError
from monitor.events import RestReplied
from monitor.facts import Channel, Instrument
from monitor.feed.subscription import Phase
from monitor.grids import finer_scale, worth_of
from monitor.venues.base import RestRequest, Topic, Venue

Need = Literal["", "snapshot", "resubscribe"]

RETRY_FIRST: Final = SECOND
RETRY_LONGEST: Final = 60 * SECOND
RECOVERY_TIMEOUT: Final = 30 * SECOND  # a recovery that brought nothing in this time is asked for again
# Between snapshots that widen the verified interval of a moving market. A crash wears it out in seconds, and a book whose price has
# left it is blind; how much all markets together may ask is the REST budget's business.
EXTEND_INTERVAL: Final = 5 * SECOND
RESEED_INTERVAL: Final = 600 * SECOND  # a live book is compared with a fresh snapshot at least this often
# A grid so fine that the ladder cannot hold the market's own price comes from a damaged frame, not from the venue's listing.
MOST_TICKS: Final = (MAX_REGIONS << REGION_SHIFT) // RANGE_FACTOR

STALE_AFTER: Final = 3  # cadences of a snapshot-only stream without a frame (contract: book_verified)

SUBSCRIBED: Final = frozenset((Phase.ACKED, Phase.LIVE, Phase.LEAVE_QUEUED, Phase.LEAVING))
BEGUN: Final = frozenset((Phase.ACKED, Phase.LIVE))

# One frame is read at a time, so all lanes share the scratch of the plain path.
SCRATCH_HEADER: Final = np.zeros(HEADER_SIZE, np.int64)
SCRATCH_LEVELS: Final = np.zeros((2, MAX_LEVELS, 2), np.int64)


class Recovery:
    """At most one recovery of a book is in flight; failures are retried with doubling distance."""

    __slots__ = ("_answered", "_asked_at", "_attempts", "_retry_at", "need")

    def __init__(self) -> None:
        self.need: Need = ""
        self._asked_at: int | None = None
        self._retry_at = 0
        self._attempts = 0
        self._answered = False  # the snapshot asked for over REST has come, and waits for the stream to join it

    def want(self, need: Need) -> None:
        if self.need != need:
            self.need, self._asked_at, self._retry_at = need, None, 0

    def due(self, at: int) -> bool:
        """Whether to ask now."""
        if not self.need:
            return False
        if self._asked_at is None:
            return at >= self._retry_at
        return at - self._asked_at >= RECOVERY_TIMEOUT

    def asked(self, at: int) -> None:
        self._asked_at = at
        self._answered = False
        self._attempts += 1

    def answered(self) -> None:
        self._answered = True

    def broken(self, at: int) -> None:
        """A frame took the book again. Where that frame came with the attempt in flight (a new subscription, a stream that does
        not join the snapshot that came), the attempt is over; a REST request still on its way is not.
        """
        if self._asked_at is not None and (self._answered or self.need == "resubscribe"):
            self.failed(at)

    def failed(self, at: int) -> None:
        """The attempt in flight brought nothing: the next one waits longer."""
        self._asked_at = None
        self._retry_at = at + min(RETRY_FIRST << min(max(self._attempts - 1, 0), 10), RETRY_LONGEST)

    def done(self) -> None:
        self.need, self._asked_at, self._retry_at, self._attempts = "", None, 0, 0
        self._answered = False


class BookLane:
    """Frames of one book topic. The book outlives the lane when the socket is lost: the next lane takes it over."""

    def __init__(self, venue: Venue, instrument: Instrument, topic: Topic, book: LiveBook) -> None:
        if topic.book is None:
            raise ValueError(f"topic {topic.key} carries no book")
        self.topic = topic
        self.book = book
        self.recovery = Recovery()
        self.fallbacks: Counter[Channel] = Counter()  # frames the scanner refused; the hub puts its connection's here
        self.body_fallbacks = 0
        # Told when frames showed another grid than the listed one.
        self.on_regrid: Callable[[BookLane, int], None] | None = None
        self._venue = venue
        self._instrument = instrument
        self._grammar = topic.book
        # No REST snapshot is rounded as a coarse stream is: that one seeds itself.
        self._policy = topic.policy or venue.book
        self._rest_seeded = self._policy.sequence.seeded_by_rest and topic.significant_figures is None
        self.body_errors = 0  # REST bodies neither path could read
        self._checked_at = 0
        self._deep_due = 0
        self._wide = False  # the larger snapshot has been merged since the seed
        cadence = topic.cadence_seconds
        self.stale_after = (
            None if cadence is None else round(cadence * STALE_AFTER * SECOND)
        )  # ns; None: no age makes it stale
        # The subscription that kept the book up has ended, for whatever reason. The book is in sync and stands still.
        self.left = False
        self.whole_at = 0  # when the stream last brought the whole book
        self._early_at: int | None = None  # first change since the subscription that came before the whole book

    # -- state
    def unreadable(self, at: int) -> str:
        """Why the book cannot be read now; "" when it can."""
        if not self.book.readable:
            return self.book.reason.replace("_", " ")
        if self.left:
            return "refresh"
        if self.stale_after is not None and at - (self.book.last_update or 0) > self.stale_after:
            return "stale"
        return ""

    @property
    def readable(self) -> bool:
        """As far as it does not hang on the time."""
        return self.book.readable and not self.left

    def follow(self, phase: Phase | None, at: int) -> None:
        """Where the subscription stands. Once it has ended, the book stands still until the next one brings it whole, or shows
        by the numbers of its first frame that nothing is missing (books seeded over REST)."""
        if phase not in SUBSCRIBED and self.book.in_sync:
            self._stand_still(at)

    def heard(self, phase: Phase | None, at: int) -> None:
        """A frame came while the book was waited for. A whole book of a subscription that is being left is none: no change will
        follow it.
        """
        if phase in BEGUN:
            self.left = self.left and not self._rest_seeded
        elif self.book.in_sync and not self._rest_seeded:
            self._stand_still(at)

    def _stand_still(self, at: int) -> None:
        if self.left:
            return
        self.left = True
        self.recovery.done()
        if not self._rest_seeded:
            self.recovery.want("resubscribe")
            self.recovery.asked(at)

    def adopt(self, older: BookLane, at: int) -> None:
        """Take over what another connection's book knows beyond this one; what stands still says nothing of now."""
        if not older.left:
            self.book.adopt(older.book, at)

    def connection_gap(self, at: int) -> None:
        """A frame of the connection is lost, of whatever topic: what the book says is no longer known. The socket is being given up."""
        self.book.connection_gap(at)

    # -- frames
    def frame(self, data: bytes, at: int) -> int:
        """Take one frame; returns the venue's time of it (ns), 0 when it says none.

        Raises:
            FrameError: neither the scanner nor the plain path can read it.
        """
        book = self.book
        outcome = book.frame(data, at)
        if outcome is Outcome.APPLIED:
            return int(book.header[EVENT_TIME])
        if outcome is Outcome.REFUSED:
            return self._plainly(data, at)
        venue_time = int(book.header[EVENT_TIME])
        self._react(outcome, at)
        return venue_time

    def _plainly(self, data: bytes, at: int) -> int:
        """The frame the scanner refused, read the slow way. One that cannot be read may have held changes: the book is lost."""
        self.fallbacks[Channel.BOOK] += 1
        try:
            plain_book(self._grammar, self.book.scale, self._instrument.symbol, data, SCRATCH_HEADER, SCRATCH_LEVELS)
        except WireError as error:
            if error.reason == "off_grid" and self._regrid(self._grammar, data, at):
                # A snapshot is the book on the new grid, a change waits for one.
                self._react(self.book.frame(data, at), at)
                return int(self.book.header[EVENT_TIME])
            self._react(self.book.unreadable_frame(at), at)
            raise FrameError(f"{self._instrument.venue} {self._instrument.symbol} book: {error}") from None
        self._react(self.book.levels(SCRATCH_HEADER, SCRATCH_LEVELS, at), at)
        return int(SCRATCH_HEADER[EVENT_TIME])

    def _regrid(self, grammar: BookGrammar, data: bytes, at: int) -> bool:
        """A level off the listed grid: tick or lot size changed. Take the coarsest grid that holds old and new, and start over.

        False: no book could be kept on that grid, so the frame is damaged and the listed grid stands.
        """
        try:
            bids, asks = plain_text_levels(grammar, data)
        except WireError:  # of no form whose rows can be read by themselves
            return False
        levels = [*bids, *asks]
        finer = finer_scale(self.book.scale, levels) if levels else None  # None also where a level is no decimal
        if finer is None:
            return False
        price = max(
            (Decimal(bid[0]) for bid in bids), default=min((Decimal(ask[0]) for ask in asks), default=Decimal(0))
        )
        size = max(Decimal(level[1]) for level in levels)
        if price / finer.price.step >= MOST_TICKS or size / finer.size.step >= SAFE_LOTS:
            return False
        self.regrid(finer, at)
        if self.on_regrid is not None:
            self.on_regrid(self, at)
        return True

    def relist(self, instrument: Instrument, at: int) -> None:
        """The venue lists the market with another grid or contract size."""
        self._instrument = instrument
        if self.book.scale != instrument.scale or self.book.worth != worth_of(instrument, instrument.scale):
            self.regrid(instrument.scale, at)

    def regrid(self, scale: Scale, at: int) -> None:
        """Start over on another grid."""
        self.book.regrid(scale, at, worth_of(self._instrument, scale))
        self._want_recovery()

    def _react(self, outcome: Outcome, at: int) -> None:
        if outcome is Outcome.REPLACED:
            self.whole_at = at
            self._early_at = None
            self.left = False
        if outcome.needs_recovery:
            self.recovery.broken(at)
            self._want_recovery()
        elif self.recovery.need:
            self.settle()
        elif outcome is Outcome.IGNORED and self.book.unseeded and self._overdue(at):
            self._want_recovery()  # changes came, and the snapshot that begins the stream did not

    def _overdue(self, at: int) -> bool:
        """Whether the whole book should have been here before this change."""
        within = self._policy.whole_within_seconds
        if within is None:
            return True
        if self._early_at is None:
            self._early_at = at
        return at - self._early_at > round(within * SECOND)

    def _want_recovery(self) -> None:
        self.recovery.want("snapshot" if self._rest_seeded else "resubscribe")

    # -- REST
    def seed_request(self, at: int) -> RestRequest | None:
        """The snapshot that seeds the book, or that brings a book whose price has run away from its snapshot back to the market."""
        if self.book.in_sync:
            self.book.snapshot_requested(at)
        return self._venue.snapshot_request(self._instrument)

    def settle(self) -> None:
        """A book that can be read needs nothing."""
        if self.readable:
            self.recovery.done()

    def extension_request(self, at: int) -> RestRequest | None:
        """A snapshot that widens or checks the verified reach, or the deep snapshot beyond the window, when one is due."""
        policy = self._policy
        if self.left:
            return None
        if not self.book.readable:
            if self.book.in_sync and self._rest_seeded:
                self.recovery.want("snapshot")
            return None
        if policy.deep_interval_seconds is not None and at >= self._deep_due:
            self._deep_due = at + round(policy.deep_interval_seconds * SECOND)
            return self._venue.deep_request(self._instrument)
        if not self._rest_seeded:
            return None
        if self._checked_at == 0:
            self._checked_at = at
        wide = self._venue.wide_request(self._instrument)
        narrow = wide is not None and not self._wide
        wait = EXTEND_INTERVAL if narrow or self.book.wants_snapshot else RESEED_INTERVAL
        request = (wide or self._venue.snapshot_request(self._instrument)) if at - self._checked_at >= wait else None
        if request is None:
            return None
        self._checked_at = at
        self.book.snapshot_requested(at)
        return replace(request, purpose="deep")  # a live book can wait: seeds of others go first

    def replied(self, event: RestReplied) -> None:
        """The answer to one of these requests."""
        seeding = event.request.purpose == "snapshot"
        if seeding and not self._rest_seeded:
            return
        if seeding and self.recovery.need != "snapshot" and not self.book.unseeded:
            return  # another way has healed the book meanwhile
        if event.error:
            if seeding:
                self.recovery.failed(event.at)
            return
        book = self.book
        whole = seeding or self._rest_seeded
        outcome = book.snapshot_body(event.body, event.at) if whole else book.deep_body(event.body, event.at)
        if outcome is Outcome.REFUSED:
            outcome = self._plain_body(event, whole)
        if whole:
            self._checked_at = event.at
        if outcome.needs_recovery or outcome is Outcome.REFUSED:
            if whole and not book.readable:
                self._want_recovery()
                if seeding:  # else what was asked for beside it is still on its way
                    self.recovery.failed(event.at)
        else:
            self._wide = not seeding
            if seeding:
                self.recovery.answered()
            self.settle()
            if seeding and self.recovery.need and book.in_sync:
                self.recovery.failed(event.at)  # it does not reach to where the price is by now

    def _plain_body(self, event: RestReplied, whole: bool) -> Outcome:
        """A body the scanner refused, read the slow way; REFUSED when that cannot read it either."""
        self.body_fallbacks += 1
        policy = self._policy
        grammar = policy.snapshot_grammar if whole else policy.deep_grammar
        assert grammar is not None  # the book was made with it, or the scanner would have raised
        book = self.book
        try:
            plain_book(grammar, book.scale, self._instrument.symbol, event.body, SCRATCH_HEADER, SCRATCH_LEVELS)
        except WireError as error:
            if error.reason != "off_grid" or not self._regrid(grammar, event.body, event.at):
                self.body_errors += 1
            return Outcome.REFUSED
        read = book.snapshot if whole else book.deep
        return read(SCRATCH_HEADER, SCRATCH_LEVELS, event.at)
