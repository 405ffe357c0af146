"""`undertow import`: another recorder's capture becomes a recording, frame by frame as it was received.

The capture is read twice: first to learn whose frames they are, which topics and markets they hold and how fine their decimals are, then
to write. What a capture cannot tell is made up and said so: InstrumentsListed with inferred grids (`inference`), Connected with the
topic keys that were seen. Times are the capture's; a time that goes back is raised to the one before it and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from monitor.capture import import_cryptofeed, import_hftbacktest, import_jsonl
from monitor.capture.import_job import INSTANCE, ImportReport, Job, refuse_retired, sender_of
from monitor.capture.inference import infer
from monitor.capture.lines import CaptureLine, shown
from monitor.capture.writer import RecordingWriter
from monitor.errors import RecordingError
from monitor.facts import Instrument
from monitor.venues.base import Venue

__all__ = ["FORMATS", "ImportReport", "import_capture"]

FORMATS: Final[Mapping[str, Callable[[Path], Iterator[CaptureLine]]]] = {
    "hftbacktest": import_hftbacktest.read,
    "cryptofeed": import_cryptofeed.read,
    "jsonl": import_jsonl.read,
}
_LOOKED_AT: Final = 10_000  # frames looked at for their sender before giving up


def import_capture(
    format: str,
    path: Path | str,
    out: Path | str,
    venue: str | None = None,
    symbols: Sequence[str] | None = None,
    *,
    known: Sequence[Instrument] = (),
) -> ImportReport:
    """Write `out` from the capture at `path`. `venue`: found from the frames when None. `symbols`: only these markets. `known`:
    listing facts that need not be inferred.

    Raises:
        RecordingError: unknown format or venue, a damaged or foreign file, a retired protocol (the first offending frame is named),
            `out` exists or cannot be written. Nothing is left at `out` then.
    """
    path, out = Path(path), Path(out)
    read = FORMATS.get(format)
    if read is None:
        raise RecordingError(f"unknown capture format {format!r}: give one of {', '.join(FORMATS)}")
    if out.exists():
        raise RecordingError(f"{out} exists already: choose another --out or remove it")
    job = Job(_find_venue(read, path, venue), path, frozenset(symbols) if symbols else None)
    job.survey(read(path))
    for symbol in sorted(job.finest):
        if not re.fullmatch(job.venue.symbol_pattern, symbol):
            raise RecordingError(
                f"{path} holds {symbol}, which is no market of {job.venue.name} (such as {job.venue.symbol_example}): "
                "give the right --venue or restrict it with --symbols"
            )
    instruments = infer(job.venue, job.finest, known)
    # Written aside and renamed: a broken import leaves no half recording under the asked name.
    partial = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        writer = RecordingWriter(partial, instance=INSTANCE, run=f"{INSTANCE}-{job.start}", part=0, created=job.start)
        try:
            for event in job.events(read(path), instruments):
                writer.write(event)
            writer.container.close()
        except BaseException:
            writer.container.abandon()
            raise
        partial.replace(out)
    except OSError as error:
        raise RecordingError(f"{out} cannot be written: {error.strerror or error}; give another --out") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return job.report(format, out, instruments)


def _find_venue(read: Callable[[Path], Iterator[CaptureLine]], path: Path, name: str | None) -> Venue:
    from monitor.venues.registry import VENUES  # noqa: PLC0415 - the importers are loaded by commands that need no venue

    if name is not None:
        if name not in VENUES:
            raise RecordingError(f"unknown venue {name!r}: give one of {', '.join(VENUES)}")
        return VENUES[name]
    first: CaptureLine | None = None
    looked = 0
    for line in read(path):
        if line.kind != "frame":
            continue
        first = first or line
        looked += 1
        sender = sender_of(line)
        if sender is not None:
            refuse_retired(path, line, sender)
            if sender.venue not in VENUES:
                raise RecordingError(
                    f"{path} holds frames of {sender.venue} ({line.place}), which this version cannot replay; "
                    f"if they are of another venue say so with --venue ({', '.join(VENUES)})"
                )
            return VENUES[sender.venue]
        if looked == _LOOKED_AT:
            break
    if first is None:
        raise RecordingError(f"{path} holds no frame: give another recorder's capture")
    raise RecordingError(
        f"{path}: no frame tells its venue (the first is {shown(first.data)}); say it with --venue ({', '.join(VENUES)})"
    )
