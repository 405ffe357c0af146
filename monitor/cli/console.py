"""What commands print: results on stdout, everything about their making on stderr."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 400  # of tables that no terminal folds


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read us has gone: an error like others, where rich would end the process from wherever it is."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads any more")


def out() -> Console:
    """stdout as it is now."""
    return _Console(file=sys.stdout, width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, markup=False)


def err() -> Console:
    """stderr as it is now."""
    return _Console(file=sys.stderr, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False, markup=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns without names have no heading."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    out().print(table)


def print_json(value: object) -> None:
    import orjson

    sys.stdout.write(
        orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode() + "\n"
    )
    sys.stdout.flush()


def line(console: Console, *parts: str | tuple[str, str]) -> None:
    """One line, never folded. A part is text, or (text, style)."""
    console.print(Text.assemble(*parts), soft_wrap=True)
    console.file.flush()
