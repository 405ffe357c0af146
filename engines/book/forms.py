"""The forms that frames of one topic may have: a grammar and its alternates, compiled for one market."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from engines.book.hot import Scratch
from engines.wire.book_scan import compile_book_grammar, scan_book
from engines.wire.grammar import BookGrammar
from engines.wire.layout import OK, REFUSED_MARKET, REFUSED_MISSING, REFUSED_SHAPE
from engines.wire.scale import Scale

# What a frame of another form is refused for.
_ANOTHER: Final = (REFUSED_MARKET, REFUSED_MISSING, REFUSED_SHAPE)


class Forms:
    """table: the grammar's own, for the fused kernel. others: those of its alternates."""

    __slots__ = ("others", "table")

    def __init__(self, grammar: BookGrammar, scale: Scale, market: str) -> None:
        self.table: npt.NDArray[np.int64] = compile_book_grammar(grammar, scale, market).table
        self.others = [compile_book_grammar(form, scale, market).table for form in grammar.alternates]

    def scan(self, data: bytes, scratch: Scratch) -> int:
        """Reads `data` into `scratch` by the first form that takes it. OK, or why it was refused by the form that fits best."""
        refusal = int(scan_book(np.frombuffer(data, np.uint8), self.table, scratch.header, scratch.levels))
        return OK if refusal == OK else self.scan_others(data, scratch, refusal)

    def scan_others(self, data: bytes, scratch: Scratch, refusal: int) -> int:
        """`scan` of what the grammar itself has refused for `refusal`."""
        frame = np.frombuffer(data, np.uint8)
        for table in self.others:
            code = int(scan_book(frame, table, scratch.header, scratch.levels))
            if code == OK:
                return OK
            if refusal in _ANOTHER and code not in _ANOTHER:
                refusal = code
        return refusal
