"""Where an exception came from, in one line and without opening a source file: safe to log from inside the loop."""

from __future__ import annotations

from pathlib import PurePath
from traceback import walk_tb

STEPS = 8  # innermost calls named


def trail(error: BaseException) -> str:
    """As `ValueError: message [file.py:12 outer > file.py:34 inner]`."""
    steps = [
        f"{PurePath(frame.f_code.co_filename).name}:{line} {frame.f_code.co_qualname}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return f"{type(error).__name__}: {' '.join(str(error)[:200].split())} [{' > '.join(steps[-STEPS:])}]"
