"""How every kernel is compiled: explicit signature, cached, no fastmath, releases the GIL.

An explicit signature compiles at import (or loads from the cache): nothing compiles once the service is ready, and a call
with other types is a TypeError instead of a silent compilation. With NUMBA_DISABLE_JIT=1 kernels run as plain Python and must
give the same results: widen bytes with `int(...)` before arithmetic, never rely on wrap-around.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit, types

F = TypeVar("F", bound=Callable[..., Any])

FRAME = types.Array(types.uint8, 1, "C", readonly=True)  # bytes of a frame, np.frombuffer(data, np.uint8)
I64 = types.int64
F64 = types.float64
BOOL = types.boolean
I64_1 = types.int64[::1]
I64_2 = types.int64[:, ::1]
I64_3 = types.int64[:, :, ::1]
F64_1 = types.float64[::1]
F64_2 = types.float64[:, ::1]
READ_I64_1 = types.Array(types.int64, 1, "C", readonly=True)
READ_F64_1 = types.Array(types.float64, 1, "C", readonly=True)


def kernel(signature: Any) -> Callable[[F], F]:
    """njit with the house's options; `signature` is a numba function type, e.g. `I64(FRAME, I64_1)`."""
    return njit(signature, cache=True, nogil=True, error_model="numpy", fastmath=False)  # type: ignore[no-any-return]
