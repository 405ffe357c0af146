"""Fill the cache of compiled kernels before anybody waits for it: `python -m monitor.warm`, run when an image is built.

Every kernel has its signature, so importing its module compiles it, or loads it from the cache. Then the whole service is
rehearsed in memory on three simulated venues, which shows that nothing is left to compile, that every call from Python fits its
kernel's signature, and that this machine can run the code made for the chosen CPU.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import time
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from numba.core.dispatcher import Dispatcher

import engines
from monitor.metrics.process import CompilationCounter
from monitor.rehearsal import rehearse

REHEARSED_SECONDS: Final = 3  # of simulated time: books seeded, trades, three ends of a second


@dataclass(frozen=True, slots=True)
class WarmReport:
    """What was there, what had to be made, and what the rehearsal saw."""

    kernels: int
    loaded: int
    compiled: int
    compiled_later: int  # in the rehearsal: must be 0
    frames: int
    verified: int  # markets, of
    markets: int
    seconds: float
    folder: str
    cpu: str


def import_all(package: ModuleType) -> list[ModuleType]:
    """The package and every module under it, except the `__main__` ones."""
    found = [package]
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            found.append(import_module(module.name))
    return found


def kernels() -> dict[str, Any]:
    """Every compiled function of engines by its full name; empty with NUMBA_DISABLE_JIT."""
    found: dict[str, Any] = {}
    for module in import_all(engines):
        for value in vars(module).values():
            if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__:
                found[f"{module.__name__}.{value.py_func.__qualname__}"] = value
    return found


def warm() -> WarmReport:
    """Import and rehearse."""
    began = time.perf_counter()
    found = kernels()
    stats = [kernel.stats for kernel in found.values()]
    counter = CompilationCounter()
    try:
        seen = rehearse(REHEARSED_SECONDS)
    finally:
        counter.close()
    return WarmReport(
        kernels=len(found),
        loaded=sum(sum(stat.cache_hits.values()) for stat in stats),
        compiled=sum(sum(stat.cache_misses.values()) for stat in stats),
        compiled_later=counter.count,
        frames=seen.frames,
        verified=seen.verified,
        markets=seen.markets,
        seconds=time.perf_counter() - began,
        folder=os.environ.get("NUMBA_CACHE_DIR", ""),
        cpu=_target(next(iter(found.values()))) if found else "plain Python",
    )


def _target(kernel: Any) -> str:
    """The CPU that code is made for."""
    _, cpu, _ = kernel.targetctx.codegen().magic_tuple()
    return str(cpu)


def main() -> int:
    report = warm()
    sys.stdout.write(
        f"{report.kernels} kernels for {report.cpu}: {report.loaded} loaded, {report.compiled} compiled;"
        f" rehearsal of {report.frames} frames: {report.verified} of {report.markets} books verified,"
        f" {report.compiled_later} compiled; {report.seconds:.1f} s; {report.folder}\n"
    )
    if report.compiled_later or report.verified < report.markets:
        sys.stderr.write("undertow: the rehearsal failed: every book must verify and nothing may be left to compile\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
