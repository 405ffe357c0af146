"""Markdown tables whose cells hold whatever they like."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `undertow docs`; do not edit. -->"


def page(title: str, *parts: str) -> str:
    """A whole Markdown page with the note that it is generated."""
    return "\n\n".join((MADE, f"# {title}", *(part.strip("\n") for part in parts))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|") or " "


def code(text: str) -> str:
    return f"`{text}`" if text else ""
