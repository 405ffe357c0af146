"""`undertow replay`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import AsJson, ConfigFiles, LogFormat, LogLevel

if TYPE_CHECKING:
    from monitor.capture.replay import ReplayReport

EXAMPLES = (
    ("undertow replay captures/2026-02-05T10.mcap", "What would have been raised, as fast as it goes"),
    ("undertow replay captures/ -c desk.toml --alerts alerts.jsonl", "A folder, other thresholds, the alerts into a file"),
    ("undertow replay crash.mcap --digest", "One SHA-256 that is equal whenever everything is equal"),
)  # fmt: skip


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.mcap...", help="Recordings, or folders of them.")],
    config: ConfigFiles = None,
    speed: Annotated[str, typer.Option(metavar="max|X", help="As fast as it goes, or X times real time.")] = "max",
    alerts: Annotated[
        Path | None, typer.Option(metavar="OUT.jsonl", help="Write every alert transition, one JSON object a line.")
    ] = None,
    digest: Annotated[
        bool,
        typer.Option("--digest", help="Print one SHA-256 over all transitions, regimes and books."),
    ] = False,
    as_json: AsJson = False,
    log_format: LogFormat = "console",
    log_level: LogLevel = "info",
) -> None:
    """Run recordings through the same code as live frames: no network, no broker, and `state.path` is never opened.

    What is printed on stdout depends on recording and settings alone; times and speed of this run go to stderr.
    """
    from dataclasses import asdict

    from monitor import logs
    from monitor.cli.alert_line import alert_line
    from monitor.cli.console import err, line, out, print_json
    from monitor.cli.loading import loading
    from monitor.cli.progress import byte_progress
    from monitor.config import load_settings

    rate = _rate(speed)
    settings = load_settings(config or ())
    logs.configure(log_format, log_level)
    with loading():
        from monitor.capture.replay import replay as run_replay

    with byte_progress("replaying", _total(files)) as done:
        console = out()
        report = run_replay(
            files,
            settings,
            speed=rate,
            digest=digest,
            alerts_out=alerts,
            on_alert=None if as_json else lambda payload: console.print(alert_line(asdict(payload)), soft_wrap=True),
            progress=done,
        )
    if as_json:
        print_json(_as_data(report))
    else:
        _print(report)
    for notice in report.notices:
        line(err(), ("note: ", "yellow"), notice)
    rate_text = f"{report.frames / report.elapsed_seconds:,.0f} frames/s" if report.elapsed_seconds else ""
    line(err(), f"replayed in {report.elapsed_seconds:.2f} s, {rate_text}")


def _rate(speed: str) -> float | None:
    if speed == "max":
        return None
    try:
        rate = float(speed)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1e6:
        raise typer.BadParameter("max, or a number above 0", param_hint="--speed")
    return rate


def _total(files: list[Path]) -> int:
    """Bytes to read; what cannot be read is refused later, with its reason."""
    total = 0
    for path in files:
        for file in path.glob("*.mcap") if path.is_dir() else (path,):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _print(report: ReplayReport) -> None:
    from monitor.cli.console import print_table
    from monitor.cli.times import span

    rows = [
        ("recorded", span(report.start, report.end)),
        ("frames", f"{report.frames:,}"),
        ("events", f"{report.events:,}"),
        ("liquidations", f"{report.liquidations:,}"),
        ("alert transitions", f"{report.transitions:,}"),
    ]
    if report.digest:
        rows.append(("digest", report.digest))
    print_table(("", ""), rows)


def _as_data(report: ReplayReport) -> dict[str, object]:
    data: dict[str, object] = {
        "start_ns": report.start,
        "end_ns": report.end,
        "frames": report.frames,
        "events": report.events,
        "liquidations": report.liquidations,
        "transitions": report.transitions,
    }
    if report.digest:
        data["digest"] = report.digest
    return data
