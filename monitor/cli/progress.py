"""A progress bar on a terminal; elsewhere nothing, so that logs stay readable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from monitor.cli.console import err


@contextmanager
def byte_progress(what: str, total: int) -> Iterator[Callable[[int], None] | None]:
    """Gives a function that is told the bytes done so far, None where nobody looks."""
    console = err()
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=total or None)
        yield lambda done: progress.update(task, completed=done)
        progress.update(task, completed=total)  # the index behind the last chunk is not read in order
