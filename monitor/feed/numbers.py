"""The numbers a venue gives the frames of one connection, over all topics: each one above the last, or a frame is missing."""

from __future__ import annotations

from typing import Final

# Doubled and late frames are dropped, but not for ever: numbers that went back for good are a restart nobody announced, and
# dropping all that follows would leave frozen books that look calm. As many as a book bears of its own ids.
OLD_IN_A_ROW: Final = 32


class ConnectionNumbers:
    """Of one connection. The first number seen is taken whatever it is.

    broken: a frame is missing, or the numbers began anew; nothing on the connection can be trusted any more, and no frame is
    taken. old: frames refused because their number was not newer.
    """

    __slots__ = ("_last", "_old_in_a_row", "broken", "old")

    def __init__(self) -> None:
        self._last: int | None = None
        self._old_in_a_row = 0  # frames without a number between them end no row
        self.broken = False
        self.old = 0

    def takes(self, number: int | None) -> bool:
        """Whether a frame with this number (None: it carries none) is to be read. One that jumps is not: what it says stands on
        what is missing.
        """
        if self.broken:
            return False
        if number is None:
            return True
        last = self._last
        if last is None or number == last + 1:
            self._last = number
            self._old_in_a_row = 0
            return True
        if number <= last:
            self.old += 1
            self._old_in_a_row += 1
        self.broken = number > last or self._old_in_a_row > OLD_IN_A_ROW
        return False
