"""Kernels over flat arrays: wire scanning, books, depth. No loop, socket, clock, settings or logging in here."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path


def _place_numba_cache() -> None:
    """Repoint NUMBA_CACHE_DIR to a writable copy when the baked cache is read-only.

    numba probes its cache folder for writing before it reads from it, and fails the import when it may not write
    (read-only root, arbitrary uid). Must run before numba is imported.
    """
    baked = os.environ.get("NUMBA_CACHE_DIR")
    if not baked or os.access(baked, os.W_OK) or not Path(baked).is_dir():
        return
    copy = Path(tempfile.mkdtemp(prefix="undertow-numba-"))
    shutil.copytree(baked, copy, dirs_exist_ok=True)
    os.environ["NUMBA_CACHE_DIR"] = str(copy)


_place_numba_cache()
