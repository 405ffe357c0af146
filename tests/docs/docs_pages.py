"""The written pages: their links, code blocks and names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `label` is what follows the language: a file's path, a schema's name."""

    language: str
    label: str
    body: str


def blocks(page: Path) -> list[Block]:
    found = []
    for fence in _FENCE.finditer(page.read_text(encoding="utf-8")):
        language, _, label = fence["info"].partition(" ")
        found.append(Block(language, label.strip(), fence["body"]))
    return found


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def indented(page: Path) -> list[str]:
    """Lines of indented blocks, without their indentation."""
    return [line[4:] for line in prose(page).splitlines() if line.startswith("    ") and line.strip()]


def code_spans(page: Path) -> list[str]:
    """Every `inline code` of the prose, indented blocks left out."""
    text = "\n".join(line for line in prose(page).splitlines() if not line.startswith("    "))
    return re.findall(r"`([^`\n]+)`", text)


def anchors(page: Path) -> set[str]:
    """Names a link may end in, as GitHub makes them from headings."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"[`*\[\]]|\(.*?\)", "", heading).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found
