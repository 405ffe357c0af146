"""Where compiled kernels are kept: one folder for each state of this package, chosen before numba is imported.

numba marks a cached kernel with its own source file alone. A kernel has its callees (inlined) and the constants of other
modules compiled into it, so after an edit of another file numba would go on loading the old code. Here the folder's name holds a
hash over every source file of the package, over the versions that make the code, and over the switches that change it: other
sources are another folder, and what is in a folder always fits together.

A folder that may not be written is copied aside: numba probes for writing before it reads, and fails the import when it may not.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

KEPT_FOLDERS: Final = 4  # the state now, and a few branches to go back to; each is about 3 MB
SPARED_SECONDS: Final = 900  # a folder used this recently may belong to a process that is still compiling into it

_PACKAGE: Final = Path(__file__).parent
_PLACE: Final = re.compile(r"engines-[0-9a-f]{20}")
_MAKERS: Final = (("numba", "_version.py"), ("llvmlite", "_version.py"), ("numpy", "version.py"))
# They change the machine code, and numba's own key knows none of the first five.
_SWITCHES: Final = (
    "NUMBA_OPT",
    "NUMBA_BOUNDSCHECK",
    "NUMBA_DEBUGINFO",
    "NUMBA_LOOP_VECTORIZE",
    "NUMBA_SLP_VECTORIZE",
    "NUMBA_CPU_NAME",
    "NUMBA_CPU_FEATURES",
)


def place() -> Path | None:
    """Point numba at the folder for this state of the package; None where nothing is compiled (NUMBA_DISABLE_JIT).

    Raises:
        OSError: no folder can be written anywhere.
    """
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        return None
    name = f"engines-{fingerprint(_PACKAGE)}"
    wanted = [root / name for root in _roots()]
    folder = next((folder for folder in wanted if _usable(folder)), None) or _aside(name, wanted)
    with suppress(OSError):
        os.utime(folder)  # its age is the time since its last use
    _prune(folder)
    # Children take the folder from the environment and come to the same place. A numba that is there already has read it.
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    if "numba" in sys.modules:
        config: Any = sys.modules["numba.core.config"]
        config.CACHE_DIR = str(folder)
    return folder


def fingerprint(package: Path) -> str:
    """What the code in a folder depends on: every source of the package, versions, switches."""
    hasher = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        _add(hasher, str(source.relative_to(package)).encode(), source.read_bytes())
    for module, file in _MAKERS:
        _add(hasher, module.encode(), _version_of(module, file))
    for switch in _SWITCHES:
        _add(hasher, switch.encode(), repr(os.environ.get(switch)).encode())
    return hasher.hexdigest()[:20]


def _add(hasher: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little") + part)


def _version_of(module: str, file: str) -> bytes:
    """The text of the file that holds the version: neither an import (300 ms) nor the package's metadata (20 ms)."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return b""
    source = Path(spec.origin).with_name(file)
    return source.read_bytes() if source.is_file() else version(module).encode()


def _roots() -> Iterator[Path]:
    """Folders that may hold ours, best first."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        root = Path(given).absolute()
        yield root.parent if _PLACE.fullmatch(root.name) else root  # a parent process has put its own place there
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        cache = Path(os.path.expanduser("~/.cache"))  # noqa: PTH111 - Path.expanduser raises for a user without an entry
    if cache.is_absolute():
        yield cache / "undertow" / "numba"


def _usable(folder: Path) -> bool:
    """Whether numba can write in it. Creates it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return all(os.access(path, os.W_OK | os.X_OK) for path in (folder, *_folders(folder)))
    except OSError:
        return False


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _aside(name: str, wanted: list[Path]) -> Path:
    """A place among temporary files, with what the unwritable place holds."""
    for temporary in _temporary():
        root = _own(temporary)
        if root is None:
            continue
        folder = root / name
        baked = next((folder for folder in wanted if folder.is_dir()), None)
        if baked is not None and not folder.exists():
            _copy(baked, folder)
        if _usable(folder):
            return folder
    raise OSError(
        errno.EROFS,
        "no folder for compiled kernels can be written; give a writable /tmp, or set NUMBA_CACHE_DIR to a folder that is",
        str(wanted[0] if wanted else ""),
    )


def _temporary() -> Iterator[str]:
    with suppress(OSError):
        yield tempfile.gettempdir()
    yield "/dev/shm"  # writable even in a container with a read-only root


def _own(temporary: str) -> Path | None:
    """A folder of this user alone: what is in the cache is run, so nobody else may put anything there."""
    user = os.geteuid() if hasattr(os, "geteuid") else 0
    root = Path(temporary) / f"undertow-numba-{user}"
    try:
        with suppress(FileExistsError):
            root.mkdir(mode=0o700)
        found = root.lstat()
        if not root.is_symlink() and found.st_uid == user and not found.st_mode & 0o077:
            return root
        return Path(tempfile.mkdtemp(prefix="undertow-numba-", dir=temporary))
    except OSError:
        return None


def _copy(baked: Path, folder: Path) -> None:
    """`baked` as `folder`, whole or not at all; of several starts at once the first one wins."""
    with suppress(OSError), tempfile.TemporaryDirectory(prefix="copy-", dir=folder.parent) as scratch:
        copy = Path(scratch) / folder.name
        copy.mkdir()
        for source in _folders(baked):
            target = copy / source.name
            target.mkdir()
            for file in source.iterdir():
                shutil.copyfile(file, target / file.name)  # without its owner's permissions
        copy.rename(folder)


def _prune(folder: Path) -> None:
    """Remove folders of older states, least recently used first."""
    with suppress(OSError):
        now = folder.stat().st_mtime
        aged = sorted(
            ((now - other.stat().st_mtime, other) for other in _folders(folder.parent) if _PLACE.fullmatch(other.name)),
            key=lambda pair: pair[0],
        )
        for age, other in aged[KEPT_FOLDERS:]:
            if age > SPARED_SECONDS and other != folder:
                shutil.rmtree(other, ignore_errors=True)
