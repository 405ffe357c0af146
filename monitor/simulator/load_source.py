"""The source for load tests: thousands of valid book frames a second, of mixed sizes, on many markets.

Rows are written once and reused, so that the generator costs a few microseconds a frame whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from monitor.errors import SettingsError
from monitor.facts import Instrument
from monitor.simulator.listing import Listing
from monitor.simulator.order_book import Ints
from monitor.simulator.protocols.frames import TextRow
from monitor.simulator.protocols.load import LoadForm
from monitor.simulator.protocols.registry import PROTOCOLS, USUAL
from monitor.simulator.source import OutFrame, RestReply
from monitor.venues.registry import VENUES

# Levels in one frame (both sides together) and how often: most frames are small, most bytes are in large ones.
FRAME_LEVELS = (10, 68, 500, 1000)
FRAME_SHARES = (0.60, 0.30, 0.08, 0.02)
VARIANTS = 16  # different quantities a level takes in turn
MIDDLE_TICK = 700_000  # 70,000.0 at a tick of 0.1
DELETE_EVERY = 10  # in odd variants every so many levels are deleted; even ones bring them back
SECOND = 1_000_000_000
MARK_SECONDS = 1
MAX_MARKETS = 600
FIRST_ID = 1_000_000


class LoadSource:
    """`rate` book frames a second over `markets` markets of the given venues in turn."""

    def __init__(
        self, *, markets: int = 60, rate: float = 5_000.0, seed: int = 1, epoch_ns: int, venues: Sequence[str] = USUAL
    ) -> None:
        if not 1 <= markets <= MAX_MARKETS or rate <= 0:
            raise SettingsError(f"a load needs 1 to {MAX_MARKETS} markets and a rate above 0")
        self._forms = {venue: _form(venue) for venue in venues}
        rng = np.random.Generator(np.random.PCG64([seed, 0x6C6F6164]))
        self.rate, self._epoch = rate, epoch_ns // 1_000_000
        names = [(venues[n % len(venues)], n) for n in range(markets)]
        self._markets = [(venue, self._forms[venue].symbol(_coin(n))) for venue, n in names]
        self.instruments = {
            venue: [
                _instrument(venue, symbol, _coin(n))
                for n, (which, symbol) in enumerate(self._markets)
                if which == venue
            ]
            for venue in venues
        }
        self._listings = {venue: Listing(VENUES[venue], listed) for venue, listed in self.instruments.items()}
        self._keys = {each: self._forms[each[0]].book_key(each[1]) for each in self._markets}
        self._books = {(venue, key): symbol for (venue, symbol), key in self._keys.items()}
        most = max(form.levels for form in self._forms.values())
        self._state = {each: np.zeros((2, self._forms[each[0]].levels), dtype=np.int64) for each in self._markets}
        self._ids = dict.fromkeys(self._markets, FIRST_ID)
        self._quantities = rng.integers(1, 5_000, (VARIANTS, 2, most))
        self._quantities[1::2, :, ::DELETE_EVERY] = 0
        self._quantities[:, :, 0] = np.maximum(self._quantities[:, :, 0], 1)  # the touch always stands
        self._sizes = rng.choice(len(FRAME_LEVELS), 65_536, p=FRAME_SHARES)
        self._order = rng.integers(markets, size=65_521)  # two lengths without common factor: a long period
        self._rows = {
            (venue, size, variant): self._written(venue, size, variant)
            for venue in venues
            for size in range(len(FRAME_LEVELS))
            for variant in range(VARIANTS)
        }
        for state in self._state.values():
            state[:] = self._quantities[0][:, : state.shape[1]]
        self._sent = 0
        self._marked = 0
        self.elapsed = 0

    # -- the FrameSource face
    @property
    def outages(self) -> frozenset[str]:
        return frozenset()

    def knows(self, venue: str, key: str) -> bool:
        return self._listings[venue].knows(key)

    def started_by(self, venue: str, key: str) -> None:
        """The load runs whether or not somebody listens."""

    def opening(self, venue: str, key: str) -> list[bytes]:
        symbol = self._books.get((venue, key))
        form = self._forms[venue]
        if symbol is None or not form.opens_with(key):
            return []
        bids, asks = map(form.rows, self._standing((venue, symbol)))
        return [self._frame((venue, symbol), bids, asks, snapshot=True)]

    def rest(self, venue: str, path: str, query: Mapping[str, str]) -> RestReply | None:
        market = (venue, self._listings[venue].front.symbol_of(path, query))
        if market in self._state:
            rows = self._standing(market)
            reply = self._forms[venue].rest(path, query, self._ids[market], self._now(), rows)
            if reply is not None:
                return reply
        return self._listings[venue].rest(path, query)

    def next_due(self) -> int:
        return int((self._sent + 1) * SECOND / self.rate)

    def advance(self, elapsed_ns: int) -> Iterator[OutFrame]:
        self.elapsed = elapsed_ns
        while self.next_due() <= elapsed_ns:
            number, self._sent = self._sent, self._sent + 1
            market = self._markets[int(self._order[number % len(self._order)])]
            size = int(self._sizes[number % len(self._sizes)])
            yield self._update(market, size, number % VARIANTS)
        if elapsed_ns >= self._marked + MARK_SECONDS * SECOND:
            self._marked = elapsed_ns
            for venue, symbol in self._markets:
                yield OutFrame(venue, *self._forms[venue].mark(symbol, self._now()))

    # -- truth
    def levels(self, venue: str, symbol: str) -> tuple[Ints, Ints]:
        """Lots of each side, best level first, one tick apart from the touch outwards; 0 = no level."""
        state = self._state[venue, symbol]
        return state[0].copy(), state[1].copy()

    # -- inside
    def _update(self, market: tuple[str, str], size: int, variant: int) -> OutFrame:
        count = min(FRAME_LEVELS[size] // 2, self._forms[market[0]].levels)
        self._state[market][:, :count] = self._quantities[variant][:, :count]
        frame = self._frame(market, *self._rows[market[0], size, variant], snapshot=False)
        return OutFrame(market[0], self._keys[market], frame)

    def _frame(self, market: tuple[str, str], bids: bytes, asks: bytes, *, snapshot: bool) -> bytes:
        before = self._ids[market]
        last = self._ids[market] = before if snapshot else before + 1
        return self._forms[market[0]].frame(market[1], before, last, self._now(), bids, asks, snapshot=snapshot)

    def _standing(self, market: tuple[str, str]) -> tuple[list[TextRow], list[TextRow]]:
        bids, asks = (
            [(number, lots) for number, lots in enumerate(side.tolist()) if lots] for side in self._state[market]
        )
        return _texts(1, bids), _texts(-1, asks)

    def _written(self, venue: str, size: int, variant: int) -> tuple[bytes, bytes]:
        form = self._forms[venue]
        quantities = self._quantities[variant][:, : min(FRAME_LEVELS[size] // 2, form.levels)]
        bids, asks = (list(enumerate(side.tolist())) for side in quantities)
        return form.rows(_texts(1, bids)), form.rows(_texts(-1, asks))

    def _now(self) -> int:
        return self._epoch + self.elapsed // 1_000_000


def _form(venue: str) -> LoadForm:
    protocol = PROTOCOLS.get(venue)
    if protocol is None or protocol.load is None:
        offered = ", ".join(name for name, each in PROTOCOLS.items() if each.load is not None)
        raise SettingsError(f"no load in the form of {venue!r}; there are {offered}")
    return protocol.load


def _texts(sign: int, rows: Sequence[tuple[int, int]]) -> list[TextRow]:
    first = MIDDLE_TICK if sign > 0 else MIDDLE_TICK + 1
    texts = []
    for number, lots in rows:
        tick = first - sign * number
        texts.append((f"{tick // 10}.{tick % 10}", f"{lots // 1000}.{lots % 1000:03d}"))
    return texts


def _coin(number: int) -> str:
    return "LOAD" + "".join(chr(ord("A") + number // 26**place % 26) for place in (1, 0))


def _instrument(venue: str, symbol: str, coin: str) -> Instrument:
    return Instrument(venue, symbol, coin, "USDT", "USDT", "linear", Decimal("0.1"), Decimal("0.001"))
