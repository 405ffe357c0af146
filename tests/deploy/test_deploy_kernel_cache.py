"""The folder of compiled kernels: keyed by everything they depend on, always writable, never shared with a stranger."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from numba.core import config

import engines
from engines import kernel_cache

PACKAGE = Path(engines.__file__).parent
# A small `engines` of its own: a caller and the callee numba inlines into it, in two files.
CALLEE = "from engines.kernel import I64, kernel\n@kernel(I64(I64))\ndef twist(x: int) -> int:\n    return x + {step}\n"
CALLER = (
    "from engines.callee import twist\nfrom engines.kernel import I64, kernel\n"
    "@kernel(I64(I64))\ndef turn(x: int) -> int:\n    return 10 * twist(x)\n"
)
ASK = """
import json, os, engines
from engines.caller import turn
from engines.callee import twist
made = [sum(k.stats.cache_misses.values()) for k in (turn, twist)] if hasattr(turn, "stats") else None
print(json.dumps({"answer": int(turn(1)), "compiled": made, "folder": os.environ.get("NUMBA_CACHE_DIR")}))
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a small `engines` package that places its cache as ours does."""
    package = tmp_path / "tree" / "engines"
    package.mkdir(parents=True)
    for name in ("__init__.py", "kernel_cache.py", "kernel.py"):
        shutil.copy(PACKAGE / name, package / name)
    (package / "callee.py").write_text(CALLEE.format(step=1))
    (package / "caller.py").write_text(CALLER)
    return package.parent


def start(tree: Path, **variables: str) -> subprocess.Popen[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "XDG_"))}
    environment = {**inherited, "PYTHONPATH": str(tree), "HOME": str(tree / "home"), **variables}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", ASK], env=environment, cwd=tree, text=True, stdout=subprocess.PIPE
    )


def result(child: subprocess.Popen[str]) -> Mapping[str, object]:
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return json.loads(out)  # type: ignore[no-any-return]


def test_an_edited_callee_is_compiled_into_its_callers_anew(tree: Path) -> None:
    first, again = result(start(tree)), result(start(tree))
    assert (first["answer"], first["compiled"]) == (20, [1, 1])
    assert (again["answer"], again["compiled"], again["folder"]) == (20, [0, 0], first["folder"])
    assert str(first["folder"]).startswith(str(tree / "home" / ".cache" / "undertow" / "numba" / "engines-"))

    (tree / "engines" / "callee.py").write_text(CALLEE.format(step=5))
    edited = result(start(tree))
    assert (edited["answer"], edited["compiled"]) == (60, [1, 1])  # numba alone would load the old caller and say 20

    (tree / "engines" / "callee.py").write_text(CALLEE.format(step=1))
    back = result(start(tree))
    assert (back["answer"], back["compiled"], back["folder"]) == (20, [0, 0], first["folder"])


def test_starts_at_once_do_not_break_each_other(tree: Path) -> None:
    results = [result(child) for child in [start(tree) for _ in range(3)]]
    assert [found["answer"] for found in results] == [20] * 3
    assert len({found["folder"] for found in results}) == 1
    assert result(start(tree))["compiled"] == [0, 0]


def test_without_the_compiler_no_folder_is_wanted(tree: Path) -> None:
    found = result(start(tree, NUMBA_DISABLE_JIT="1", HOME="/nonexistent"))
    assert found == {"answer": 20, "compiled": None, "folder": None}
    assert not list(tree.glob("home/.cache/**/engines-*"))


def test_a_switch_that_changes_the_code_is_another_folder(tree: Path) -> None:
    plain = result(start(tree))
    checked = result(start(tree, NUMBA_BOUNDSCHECK="1"))
    assert checked["folder"] != plain["folder"]
    assert checked["compiled"] == [1, 1]


# -- in this process
@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every folder `place` may choose lies under the one returned; what it sets is put back."""
    monkeypatch.setattr(config, "CACHE_DIR", config.CACHE_DIR)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "given"))
    monkeypatch.setattr(kernel_cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.delenv("NUMBA_DISABLE_JIT", raising=False)
    (tmp_path / "temporary").mkdir()
    return tmp_path


def unwritable(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """These are on a read-only disk, also for root."""
    really, make = os.access, Path.mkdir

    def access(path: str | Path, mode: int) -> bool:
        return not any(Path(path).is_relative_to(folder) for folder in folders) and really(path, mode)

    def mkdir(self: Path, *args: object, **named: object) -> None:
        if not self.is_dir() and any(self.is_relative_to(folder) for folder in folders):
            raise OSError(30, "Read-only file system")
        make(self, *args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(kernel_cache.os, "access", access)
    monkeypatch.setattr(Path, "mkdir", mkdir)


def name() -> str:
    return f"engines-{kernel_cache.fingerprint(PACKAGE)}"


def test_numba_that_was_imported_before_is_told(places: Path) -> None:
    folder = kernel_cache.place()
    assert folder == places / "given" / name()
    assert config.CACHE_DIR == os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_a_child_comes_to_the_same_place(places: Path) -> None:
    folder = kernel_cache.place()
    assert kernel_cache.place() == folder
    ask = "import engines, os; print(os.environ['NUMBA_CACHE_DIR'])"
    child = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert child.stdout.strip() == str(folder)


def test_a_baked_cache_that_may_not_be_written_is_copied_aside_once(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    baked = places / "given" / name() / "book_abc"
    baked.mkdir(parents=True)
    (baked / "hot.nbi").write_bytes(b"index")
    unwritable(monkeypatch, places / "given")
    folder = kernel_cache.place()
    assert folder is not None
    assert folder.parent.parent == places / "temporary"
    assert (folder / "book_abc" / "hot.nbi").read_bytes() == b"index"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]

    (folder / "book_abc" / "more.nbi").write_bytes(b"compiled later")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "given"))
    assert kernel_cache.place() == folder
    assert (folder / "book_abc" / "more.nbi").exists()


def test_a_foreign_folder_among_temporary_files_is_not_trusted(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unwritable(monkeypatch, places / "given")
    planted = places / "temporary" / f"undertow-numba-{os.geteuid()}"
    planted.mkdir(mode=0o777)
    planted.chmod(0o777)
    folder = kernel_cache.place()
    assert folder is not None
    assert folder.parent != planted
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_no_home_at_all(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(kernel_cache.os.path, "expanduser", lambda path: path)  # a uid without an entry, HOME not set
    folder = kernel_cache.place()
    assert folder is not None
    assert folder.is_relative_to(places / "temporary")


def test_xdg_cache_home(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(places / "xdg"))
    assert kernel_cache.place() == places / "xdg" / "undertow" / "numba" / name()


def test_nowhere_to_write_is_said_with_what_to_do(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unwritable(monkeypatch, places, Path("/dev/shm"))
    with pytest.raises(OSError, match="set NUMBA_CACHE_DIR to a folder that is"):
        kernel_cache.place()


def test_old_folders_go_and_those_in_use_stay(places: Path) -> None:
    root = places / "given"
    old = [root / f"engines-{number:020x}" for number in range(6)]
    for age, folder in enumerate(old):
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000 - age, 1_000_000 - age))
    (root / "numba-of-somebody-else").mkdir()
    kernel_cache.place()
    kept = {name(), "numba-of-somebody-else", *(folder.name for folder in old[:3])}
    assert {folder.name for folder in root.iterdir()} == kept

    busy = [root / f"engines-{number:020x}" for number in range(100, 106)]
    for folder in busy:
        folder.mkdir()
    kernel_cache.place()
    left = {name(), "numba-of-somebody-else", *(folder.name for folder in busy)}
    assert {folder.name for folder in root.iterdir()} == left


def test_every_source_counts(tmp_path: Path) -> None:
    copy = tmp_path / "engines"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    before = kernel_cache.fingerprint(copy)
    assert before == kernel_cache.fingerprint(PACKAGE)
    sources = sorted(copy.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        text = source.read_bytes()
        source.write_bytes(text + b"\n")
        assert kernel_cache.fingerprint(copy) != before, source
        source.write_bytes(text)
    sources[-1].rename(sources[-1].with_name("renamed.py"))
    assert kernel_cache.fingerprint(copy) != before
