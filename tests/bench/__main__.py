"""`python -m tests.bench`: one run, one table, build/bench.json. `--only peers|engine|service`, `--passes N`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.bench import report
from tests.bench.contestants import available
from tests.bench.engine import engine_figures
from tests.bench.figures import Figure
from tests.bench.frames import CAPTURE, groups, read_capture
from tests.bench.place import place
from tests.bench.rounds import Timed, run
from tests.bench.service import LOAD_CORE, service_figures

OUT = Path("build/bench.json")
PASSES = 3
PARTS = ("peers", "engine", "service")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", choices=PARTS, help="one part; its figures are printed, build/bench.json stays as it is"
    )
    parser.add_argument("--passes", type=int, default=PASSES, help="passes over the capture")
    asked = parser.parse_args()
    console = Console(width=report.WIDTH)
    if not CAPTURE.exists():
        console.print(f"[bold]the real frames are not here:[/] {CAPTURE}")
        return 1
    wanted = PARTS if asked.only is None else (asked.only,)
    capture = read_capture()
    sizes = groups(capture)
    kinds, absent = available()
    times: dict[tuple[str, str], Timed] = {}
    figures: list[Figure] = []
    service = None
    # The service first: its processes choose their own cores, and this one has not claimed any yet.
    with console.status("the whole service") as status:
        if "service" in wanted:
            found, service = service_figures(status.update)
            figures = found
        ahead = place(LOAD_CORE)
        if "engine" in wanted:
            status.update("our own parts")
            figures = engine_figures(capture, sizes) + figures
        if "peers" in wanted:
            status.update("every contestant on the same frames")
            times = run(capture, sizes, kinds, asked.passes, {report.AS_ROWS: "update_and_rows"})
    reached = report.print_table(console, capture, sizes if times else (), times, absent, figures)
    if not ahead:
        console.print("not run ahead of other work (that needs root): expect wider spreads on a busy machine")
    if asked.only is None:
        report.write_json(OUT, capture, sizes, times, absent, figures, service)
        console.print(f"written: {OUT}")
    if not reached:
        console.print("[bold]some goals were missed[/], see MISSED above")
    return 0


if __name__ == "__main__":
    sys.exit(main())
