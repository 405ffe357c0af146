"""`undertow import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import AsJson, LogFormat, LogLevel

EXAMPLES = (
    ("undertow import hftbacktest btcusdt_20240808.gz --out btcusdt.mcap", "Lines of time and frame, as hftbacktest collects them"),
    ("undertow import cryptofeed captures/ --venue binance_usdm --out usdm.mcap", "A folder of cryptofeed's raw files"),
    ("undertow import jsonl frames.jsonl.gz --symbols BTCUSDT,ETHUSDT --out two.mcap", "Two markets of a capture"),
)  # fmt: skip


def import_(
    format: Annotated[str, typer.Argument(metavar="FORMAT", help="hftbacktest, cryptofeed or jsonl.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The capture, plain or gzip; cryptofeed also: its folder.")
    ],
    out: Annotated[Path, typer.Option(metavar="X.mcap", help="The recording to write; it must not exist yet.")],
    venue: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose frames they are, where the frames do not tell.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these markets, in the venue's spelling.")
    ] = None,
    as_json: AsJson = False,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """Bring another recorder's capture into a recording that `undertow replay` and `undertow simulate` read."""
    from monitor import logs
    from monitor.capture.importers import FORMATS, import_capture
    from monitor.cli.console import err, line, print_json, print_table
    from monitor.cli.names import need_known
    from monitor.cli.times import span
    from monitor.venues.registry import VENUES

    need_known("FORMAT", format, FORMATS)
    if venue is not None:
        need_known("--venue", venue, VENUES)
    logs.configure(log_format, log_level)
    wanted = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()] if symbols else None
    report = import_capture(format, file, out, venue, wanted)
    if as_json:
        print_json(
            {
                "format": report.format,
                "venue": report.venue,
                "capture": str(report.path),
                "recording": str(report.out),
                "start_ns": report.start,
                "end_ns": report.end,
                "lines": report.lines,
                "frames": report.frames,
                "replies": report.replies,
                "connections": report.connections,
                "frames_by_key": dict(report.frames_by_key),
                "skipped": dict(report.skipped),
                "markets": [
                    {"market": i.symbol, "tick_size": f"{i.tick_size:f}", "lot_size": f"{i.lot_size:f}"}
                    for i in report.instruments
                ],
                "notices": list(report.notices),
            }
        )
        return
    rows = [
        ("venue", report.venue),
        ("time", span(report.start, report.end)),
        ("lines", f"{report.lines:,}"),
        ("frames", f"{report.frames:,}"),
        ("REST snapshots", f"{report.replies:,}"),
        ("connections", f"{report.connections:,}"),
    ]
    rows += [(f"  {key or 'control frames'}", f"{count:,}") for key, count in report.frames_by_key.items()]
    rows += [(f"left out: {reason}", f"{count:,}") for reason, count in report.skipped.items()]
    rows += [(f"market {i.symbol}", f"tick {i.tick_size:f}, lot {i.lot_size:f}") for i in report.instruments]
    print_table((str(report.out), ""), rows)
    for notice in report.notices:
        line(err(), ("note: ", "yellow"), notice)
