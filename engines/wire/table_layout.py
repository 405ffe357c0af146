"""The layout of a compiled grammar: one flat int64 table, a head of fixed slots and a tree of nodes behind it.

A node is one object or array of the frame and lists the keys (or element numbers) that matter in it; an entry says what stands
there. Every entry of a frame's tree owns one bit: the kernels collect seen bits, which finds duplicates and missing fields without any
other state. A row of a trade frame owns its bits once; they are cleared from row to row. The rows of a book have no part in the
tree: their slots are in the head, and a row that is an object has a node of its own, whose bits are the row's only.
"""

from __future__ import annotations

from typing import Final

# Fixed slots at the head of a table.
PRICE_DECIMALS: Final = 0
PRICE_MULTIPLE: Final = 1
SIZE_DECIMALS: Final = 2
SIZE_MULTIPLE: Final = 3
SIGNED: Final = 4  # 1: the sign of a size tells the side
DEFAULT_KIND: Final = 5
REQUIRED: Final = 6  # bits that must be seen in the frame
ROW_REQUIRED: Final = 7  # bits that must be seen in every row of trades
ROW_BITS: Final = 8  # bits that belong to rows of trades, cleared between rows
ROOT: Final = 9  # offset of the root node
SINGLE: Final = 10  # 1: a trade frame is one trade, a book frame one row
ROW_FORM: Final = 11  # of the rows of a book: USUAL_ROWS, ARRAY_ROWS or OBJECT_ROWS
ROW_PRICE: Final = 12  # element numbers of rows that are arrays; NO_ELEMENT for what the rows do not tell
ROW_SIZE: Final = 13
ROW_SIDE: Final = 14
ROW_COUNT: Final = 15
ROW_LAST: Final = 16  # the greatest of the four
ROW_SIDES: Final = 17  # offset of the option list bid, ask; 0: the rows name no side
ROW_TOLD: Final = 18  # 1: there is more to a row than its price and its size
ROW_NODE: Final = 19  # offset of the node of a row that is an object; 0: rows are arrays
ROW_WINDOW: Final = 20  # bytes that a tight loop may look at after the start of a row
ROW_ROLES: Final = 21  # bits 1 << role that must be seen in a row that is an object
HEAD_SIZE: Final = 22

NO_ELEMENT: Final = -1
USUAL_ROWS: Final = 0  # arrays that begin with price and size, quoted
ARRAY_ROWS: Final = 1
OBJECT_ROWS: Final = 2

# A node: one object or array of the frame.
NODE_PARENT: Final = 0  # offset of the node around it; NO_PARENT for the root
NODE_INDEX: Final = 1  # which element of that node it stands in, where that is an array
NODE_CLOSERS: Final = 2  # how many `]` follow its end (one per step `0` in the path)
NODE_IS_ROW: Final = 3  # 1: an element of the array of trades
NODE_CLOSE: Final = 4  # the byte that ends it: `}` or `]`
NODE_KEYS: Final = 5
NODE_ENTRIES: Final = 6
NO_PARENT: Final = -1

# An entry: one known key or element and what stands there.
ENTRY_LENGTH: Final = 0  # of the key, bytes; 0 for an element
ENTRY_WORD: Final = 1  # the key's first WORD_BYTES bytes, little-endian; the number of an element
ENTRY_TEXT: Final = 2  # offset of the key's bytes, one per element of the table
ENTRY_BIT: Final = 3
ENTRY_OPENERS: Final = 4  # how many `[` stand before the value
ENTRY_ACTION: Final = 5
ENTRY_ARGUMENT: Final = 6
ENTRY_SIZE: Final = 7
WORD_BYTES: Final = 7  # seven, so that a word is never negative

# Actions, and what ENTRY_ARGUMENT means for each.
NODE: Final = 0  # offset of the node
ROWS: Final = 1  # offset of the node of one row of trades
LEVELS: Final = 2  # side, BOTH_SIDES where the rows tell it
INTEGER: Final = 3  # offset of [count, nullable, (slot of the header or column of `trades`, unit, limit)...]
TEXT: Final = 4  # offset of an option list with the only legal value
KIND_TEXT: Final = 5  # option list: delta, snapshot (the index is the kind)
PRICE: Final = 6
SIZE: Final = 7
SIDE: Final = 8  # option list: sold, bought
KEEP: Final = 9  # option list of values that count as flow
IGNORE: Final = 10  # offset of [how many, arrays too, expected], then an option list: values that mark a frame without flow, the rest expected
ROLE: Final = 11  # one value of the only row of a book frame, or of a row that is an object: PRICE_ROLE ...

BOTH_SIDES: Final = -1
TIME_TEXT: Final = 0  # a unit that says that the value is RFC 3339 text

PRICE_ROLE: Final = 0
SIZE_ROLE: Final = 1
SIDE_ROLE: Final = 2
COUNT_ROLE: Final = 3

# Lengths in an option list that stand for the two literals.
OPTION_FALSE: Final = -1
OPTION_TRUE: Final = -2

MAX_KEYS: Final = 62  # one bit of an int64 each
INT64_MAX: Final = 2**63 - 1
