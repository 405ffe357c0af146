"""The commands put together, and what becomes of errors: one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer

from monitor.cli import (
    check,
    demo,
    docs,
    importing,
    liquidation_price,
    record,
    replay,
    run,
    simulate,
    venues,
    watch,
    what_if,
)
from monitor.errors import SettingsError, UndertowError

DONE: Final = 0
FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130  # what the library makes of Ctrl-C; to us it is a failure like others

# command, function, examples (what it shows: the arguments), in the order of the help
COMMANDS: Final[Sequence[tuple[str, Callable[..., Any], Sequence[tuple[str, str]]]]] = (
    ("run", run.run, run.EXAMPLES),
    ("demo", demo.demo, demo.EXAMPLES),
    ("watch", watch.watch, watch.EXAMPLES),
    ("check", check.check, check.EXAMPLES),
    ("venues", venues.venues, venues.EXAMPLES),
    ("what-if", what_if.what_if, what_if.EXAMPLES),
    ("liquidation-price", liquidation_price.liquidation_price, liquidation_price.EXAMPLES),
    ("record", record.record, record.EXAMPLES),
    ("replay", replay.replay, replay.EXAMPLES),
    ("import", importing.import_, importing.EXAMPLES),
    ("simulate", simulate.simulate, simulate.EXAMPLES),
    ("docs", docs.docs, docs.EXAMPLES),
)

app = typer.Typer(
    name="undertow",
    help="Live, verified crypto order books, and a warning when a market is being sold at any price.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its tracebacks show local variables
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed at run time, 2 wrong use or settings.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"undertow {version('undertow')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


def _examples(examples: Sequence[tuple[str, str]]) -> str:
    lines = ["[bold]Examples[/bold]"]
    lines += [f"{what}:\n\n  [cyan]{line}[/cyan]" for line, what in examples]
    return "\n\n".join(lines)


for _name, _function, _shown in COMMANDS:
    app.command(_name, epilog=_examples(_shown))(_function)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        code = app(arguments, prog_name="undertow", standalone_mode=False)
    except typer.TyperException as error:  # wrong use
        text = error.format_message()
        return complain(text, error.exit_code) if text else error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return complain("interrupted", FAILED)
    except SystemExit as ended:  # what the library makes of a pipe nobody reads
        if ended.__context__ is None or not _nobody_reads(ended.__context__):
            raise
        return DONE
    except (Exception, BaseExceptionGroup) as error:
        if _nobody_reads(error):
            return DONE
        known = first_known(error)
        if known is None:
            raise
        return complain(*known)
    finally:
        _end_logs()
        _flush()
    return FAILED if code == INTERRUPTED else int(code or DONE)


def first_known(error: BaseException) -> tuple[str, int] | None:
    """Message and exit code of an error raised on purpose, also from inside a group of tasks; None: it is a mistake of ours."""
    if isinstance(error, BaseExceptionGroup):
        found = [known for inner in error.exceptions if (known := first_known(inner)) is not None]
        return found[0] if len(found) == len(error.exceptions) else None
    if isinstance(error, SettingsError):
        return str(error), WRONG_USE
    if isinstance(error, UndertowError):
        return str(error), FAILED
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, FAILED
    return None


def _nobody_reads(error: BaseException) -> bool:
    """Whoever read us (`| head`) has had enough: that is no failure."""
    if isinstance(error, BaseExceptionGroup):
        return any(_nobody_reads(inner) for inner in error.exceptions)
    return isinstance(error, BrokenPipeError)


def _flush() -> None:
    """What still waits for stdout; into nowhere when nobody reads, so that Python does not complain at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str, code: int) -> int:
    _end_logs()  # what was logged before stands before it
    sys.stderr.write(f"undertow: {' '.join(message.split())}\n")
    return code


def _end_logs() -> None:
    """Write the logs that wait, where logs were opened at all."""
    logs = sys.modules.get("monitor.logs")
    if logs is not None:
        logs.close()
