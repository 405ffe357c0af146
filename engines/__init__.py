"""Kernels over flat arrays: wire scanning, books, depth. No loop, socket, clock, settings or logging in here."""

from __future__ import annotations

from engines import kernel_cache

kernel_cache.place()  # before any kernel, and so before numba, is imported
