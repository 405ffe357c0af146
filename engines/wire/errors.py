"""What the plain path says about a frame it cannot read."""

from __future__ import annotations

from typing import Final

from engines.wire.layout import REFUSAL_NAMES

REASONS: Final = frozenset(REFUSAL_NAMES.values()) - {"ok"}
SHOWN_TEXT: Final = 40  # characters of a venue's text in a message


class WireError(ValueError):
    """A frame that does not say what its grammar promises.

    Attributes:
        reason: one of the names in `engines.wire.layout.REFUSAL_NAMES` (never "ok").
        path: where in the frame, as in `data[0].asks`; "frame" for the whole of it.

    The message names path and reason; venue, market and channel are the caller's to add.
    """

    def __init__(self, reason: str, path: str, detail: str) -> None:
        assert reason in REASONS, reason
        super().__init__(f"{path}: {reason}: {detail}")
        self.reason = reason
        self.path = path


def shown(value: object) -> str:
    """A venue's value, cut short for a message."""
    text = repr(value)
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 3] + "..."
