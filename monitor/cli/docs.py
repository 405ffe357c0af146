"""`undertow docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.options import LogFormat, LogLevel

EXAMPLES = (
    ("undertow docs --out docs/reference", "Write the reference pages, JSON Schemas and the AsyncAPI document"),
)


def docs(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write into; it is made when it is not there.")],
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """Write the references that are made from the code: settings, metrics, topics, venues, schemas."""
    from monitor.cli import console
    from monitor.reference.write import write_reference

    stdout = console.out()
    for path in write_reference(out):
        console.line(stdout, str(path))
