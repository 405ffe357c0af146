"""Options that several commands share, spelt once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

LogFormat = Annotated[
    Literal["console", "json"],
    typer.Option("--log-format", help="Logs on stderr for people, or as one JSON object a line."),
]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"], typer.Option("--log-level", help="Leave out logs that matter less.")
]
ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "-c", "--config", metavar="FILE", help="Settings in TOML; may be given several times, later files win.",
    ),
]  # fmt: skip
AsJson = Annotated[bool, typer.Option("--json", help="The same as JSON.")]
SimulatedVenues = Annotated[
    str | None,
    typer.Option("--venues", metavar="NAMES", help="Which venues: names with commas, or all; else the usual three."),
]
SimulatedAssets = Annotated[
    str | None, typer.Option("--assets", metavar="NAMES", help="Which assets: names with commas, or all; else BTC and ETH, and all with --venues."),
]  # fmt: skip
Speed = Annotated[float, typer.Option(min=0.001, max=1000, help="Times real time.")]
