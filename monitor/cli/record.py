"""`undertow record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import ConfigFiles, LogFormat, LogLevel

EXAMPLES = (
    ("undertow record -c configs/default.toml --out captures", "Everything the configured venues send, until Ctrl-C"),
    ("undertow replay captures/ --digest", "What was recorded, through the service's code"),
)


def record(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the recordings; replaces recording.directory.")],
    config: ConfigFiles = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, metavar="N", help="End after so long; else on Ctrl-C.")
    ] = None,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """Record raw frames: no alerts, no broker, no HTTP, no state file.

    Books are followed all the same, because only a book knows when a snapshot or a new subscription is needed: without them a
    recording could not be replayed after its first gap. Files rotate; the oldest go beyond recording.max_total_gib.
    """
    from monitor import logs
    from monitor.cli.loading import loading
    from monitor.cli.loop import run_loop, stoppable
    from monitor.cli.settings import need_venues
    from monitor.config import load_settings

    settings = load_settings(config or ())
    need_venues(settings)
    logs.configure(log_format, log_level)
    with stoppable():
        with loading():
            from monitor.cli.record_run import run_record
        run_loop(run_record(settings, out, seconds))
