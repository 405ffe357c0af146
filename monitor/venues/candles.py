"""Hourly candles of the last seven days, over REST: what the venues that give them have alike.

They are asked for once and then seldom, as a poll of each market: the stream of trades goes on where they end. A week is what the
volume at each price is summed over (models.md 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from engines.wire.grammar import MILLISECOND
from monitor.errors import FrameError
from monitor.facts import Candle, Candles, Fact, Unread
from monitor.venues.base import Poll, RestRequest
from monitor.venues.reading import Reader, Record

CANDLES: Final = "candles"
CANDLES_SECONDS: Final = 6 * 3600.0  # a market that is listed anew gets its first day soon enough
HOURS: Final = 7 * 24  # the running one among them
HOUR: Final = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class CandleForm:
    """The keys under which a venue's candle says what. taker_buy "": it does not. unit: of `time`, in ns.

    columns: of candles that are arrays, what stands at each place; what follows them is not looked at.
    """

    time: str
    low: str
    high: str
    close: str
    volume: str
    taker_buy: str = ""
    unit: int = MILLISECOND
    columns: tuple[str, ...] = ()


def candles_poll(url: str, weight: int, symbol: str, body: str | None = None) -> Poll:
    return Poll(RestRequest("history", url, weight, symbol, CANDLES, body), CANDLES_SECONDS)


def last_week(at: int) -> tuple[int, int]:
    """The hours to ask for at `at`, as times in ns: when the first one begins, and the running one ends."""
    end = (at // HOUR + 1) * HOUR
    return end - HOURS * HOUR, end


def ranged(request: RestRequest, at: int, start: str, end: str, unit: int = MILLISECOND) -> RestRequest:
    """For `Venue.dated_request`: a request for candles with the last week in its address, under the venue's words for its ends."""
    if request.key != CANDLES:
        return request
    first, past = last_week(at)
    joint = "&" if "?" in request.url else "?"
    return replace(request, url=f"{request.url}{joint}{start}={first // unit}&{end}={past // unit - 1}")


def read_candles(reader: Reader, rows: object, form: CandleForm) -> list[Fact]:
    """The newest HOURS of `rows`, which come in any order. None at all is no fact: a market that has not traded yet.

    One odd row must not cost the others, nor go unnoticed: what is left out is said by an `Unread`.

    Raises:
        FrameError: not an array, or none of its rows can be read.
    """
    if not isinstance(rows, list):
        raise reader.refused("the candles are not an array")
    found: dict[int, Candle] = {}
    refused: list[FrameError] = []
    for row in rows:
        try:
            candle = _candle(reader, _record(reader, row, form), form)
        except FrameError as error:
            refused.append(error)
        else:
            found[candle.open_time] = candle
    if refused and not found:
        raise refused[0]
    if not found:
        return []
    newest = tuple(found[time] for time in sorted(found)[-HOURS:])
    told = Candles(reader.market, newest, newest[-1].open_time)
    return [told, Unread(str(refused[0]), len(refused))] if refused else [told]


def _record(reader: Reader, row: object, form: CandleForm) -> Record:
    if not form.columns:
        return reader.record(row, "a candle")
    if not isinstance(row, list) or len(row) < len(form.columns):
        raise reader.refused(f"a candle is not an array of {len(form.columns)}")
    return dict(zip(form.columns, row, strict=False))


def _candle(reader: Reader, row: Record, form: CandleForm) -> Candle:
    low, high, close = (reader.positive(row, key) for key in (form.low, form.high, form.close))
    if not low <= close <= high:
        raise reader.refused(f"a candle closes at {close}, outside of {low} to {high}")
    volume = reader.decimal(row, form.volume)
    bought = reader.decimal(row, form.taker_buy) if form.taker_buy else None
    if volume < 0 or (bought is not None and not 0 <= bought <= volume):
        raise reader.refused(f"a candle's volume is {volume}, bought {bought}")
    return Candle(
        open_time=reader.time(row, form.time, form.unit),
        low=float(low),
        high=float(high),
        close=float(close),
        volume=float(volume),
        taker_buy=None if bought is None else float(bought),
    )
