"""From the paths of a grammar to a tree, and from the tree to the cells of a table (`engines.wire.table_layout`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engines.wire.grammar import IntegerField, Nth, Path
from engines.wire.json_walk import CLOSE_ARRAY, CLOSE_OBJECT
from engines.wire.scale import Scale
from engines.wire.table_layout import (
    ENTRY_SIZE,
    HEAD_SIZE,
    IGNORE,
    INT64_MAX,
    INTEGER,
    KEEP,
    KIND_TEXT,
    MAX_KEYS,
    NO_PARENT,
    NODE,
    NODE_ENTRIES,
    OPTION_FALSE,
    OPTION_TRUE,
    PRICE_DECIMALS,
    PRICE_MULTIPLE,
    REQUIRED,
    ROLE,
    ROOT,
    ROW_BITS,
    ROW_REQUIRED,
    ROWS,
    SIDE,
    SIZE_DECIMALS,
    SIZE_MULTIPLE,
    TEXT,
    TIME_TEXT,
    WORD_BYTES,
)

Option = str | bool
Table = NDArray[np.int64]


@dataclass(slots=True)
class Leaf:
    """A fact: what the scanner does with the value at a path."""

    action: int
    required: bool = True
    options: tuple[Option, ...] = ()
    slots: list[tuple[int, int]] = field(default_factory=list)  # (slot, unit)
    nullable: bool = False
    ignored: tuple[Option, ...] = ()  # of IGNORE: the values that mark a frame without flow, before `options`
    ignored_array: bool = False
    argument: int = 0

    @classmethod
    def integer(cls, one: IntegerField) -> Leaf:
        unit = TIME_TEXT if one.rfc3339 else one.unit
        return cls(INTEGER, one.required, slots=[(one.slot, unit)], nullable=one.nullable and not one.required)


@dataclass(slots=True)
class Node:
    """An object (keys are texts) or an array (keys are element numbers) of the frame."""

    keys: dict[str | int, Entry] = field(default_factory=dict)
    is_row: bool = False

    @property
    def is_array(self) -> bool:
        return any(isinstance(key, int) for key in self.keys)


@dataclass(slots=True)
class Entry:
    openers: int
    value: Leaf | Node


def steps_of(path: Path) -> list[tuple[str | int, int]]:
    """A path as (key or element number, number of arrays with one element behind it).

    Raises:
        ValueError: a step that is none, or a key that is not plain ASCII.
    """
    steps: list[tuple[str | int, int]] = []
    for step in path:
        if isinstance(step, str):
            if not step or not step.isascii() or not step.isprintable() or '"' in step or "\\" in step:
                raise ValueError(f"a key in a path must be plain ASCII text, got {step!r}")
            steps.append((step, 0))
        elif isinstance(step, Nth):
            if step.index < 0:
                raise ValueError(f"an element in a path is counted from 0, got {path!r}")
            steps.append((step.index, 0))
        elif step == 0 and steps:
            key, openers = steps[-1]
            steps[-1] = (key, openers + 1)
        else:
            raise ValueError(f"a path is keys, Nth, and 0 after them for the only element of an array, got {path!r}")
    return steps


def add(root: Node, path: Path, value: Leaf | Node) -> None:
    """Puts a fact, or the node of a row, into the tree.

    Raises:
        ValueError: two facts at one path, a fact below another, an object where another path has an array.
    """
    steps = steps_of(path)
    if not steps:
        raise ValueError("a path needs at least one step")
    node = root
    for key, openers in steps[:-1]:
        _check_kind(node, key, path)
        entry = node.keys.setdefault(key, Entry(openers, Node()))
        if isinstance(entry.value, Leaf) or entry.value.is_row or entry.openers != openers:
            raise ValueError(f"the path {path!r} runs through another fact")
        node = entry.value
    key, openers = steps[-1]
    _check_kind(node, key, path)
    there = node.keys.get(key)
    if there is None:
        node.keys[key] = Entry(openers, value)
    elif not (isinstance(there.value, Leaf) and isinstance(value, Leaf) and there.openers == openers):
        raise ValueError(f"two facts at the path {path!r}")
    else:
        there.value = _merged(there.value, value, path)


def _check_kind(node: Node, key: str | int, path: Path) -> None:
    if node.keys and node.is_array != isinstance(key, int):
        raise ValueError(f"the path {path!r} takes an array for an object, or an object for an array")


def _merged(one: Leaf, other: Leaf, path: Path) -> Leaf:
    """Two facts that one value may stand for: two slots of one time; a constant, and other values that mark a frame without flow."""
    if one.action == other.action == INTEGER:
        return Leaf(
            INTEGER,
            one.required or other.required,
            slots=one.slots + other.slots,
            nullable=one.nullable and other.nullable,
        )
    if one.action == IGNORE and other.action == TEXT:
        return Leaf(IGNORE, True, other.options, ignored=one.ignored, ignored_array=one.ignored_array)
    raise ValueError(f"two facts at the path {path!r}")


class Builder:
    """Lays nodes, entries and texts out in one list of integers."""

    def __init__(self, scale: Scale) -> None:
        self.head = [0] * HEAD_SIZE
        self.head[PRICE_DECIMALS], self.head[PRICE_MULTIPLE] = scale.price.decimals, scale.price.multiple
        self.head[SIZE_DECIMALS], self.head[SIZE_MULTIPLE] = scale.size.decimals, scale.size.multiple
        self._cells = self.head
        self._bits = 0

    def build(self, root: Node) -> Table:
        """Raises ValueError where the frame has too many keys."""
        self.head[ROOT] = self._node(root, NO_PARENT, 0, 0, in_row=False)
        table = np.array(self._cells, np.int64)
        table.flags.writeable = False
        return table

    def row_node(self, roles: Iterable[tuple[str, int]]) -> int:
        """The node of a book's row that is an object: (key, role). Its bits are 1 << role."""
        members = list(roles)
        offset = self._append([NO_PARENT, 0, 0, 0, CLOSE_OBJECT, len(members)])
        self._append([0] * (ENTRY_SIZE * len(members)))
        for number, (key, role) in enumerate(members):
            at = offset + NODE_ENTRIES + number * ENTRY_SIZE
            self._cells[at : at + ENTRY_SIZE] = [*self._key(key), 1 << role, 0, ROLE, role]
        return offset

    def options(self, options: Sequence[Option]) -> int:
        """An option list: [count, (length or OPTION_*, bytes)...]."""
        cells = [len(options)]
        for option in options:
            if isinstance(option, bool):
                cells.append(OPTION_TRUE if option else OPTION_FALSE)
            else:
                raw = option.encode()
                cells += [len(raw), *raw]
        return self._append(cells)

    def _append(self, values: Sequence[int]) -> int:
        offset = len(self._cells)
        self._cells.extend(values)
        return offset

    def _node(self, node: Node, parent: int, index: int, closers: int, *, in_row: bool) -> int:
        close = CLOSE_ARRAY if node.is_array else CLOSE_OBJECT
        offset = self._append([parent, index, closers, int(node.is_row), close, len(node.keys)])
        self._append([0] * (ENTRY_SIZE * len(node.keys)))
        for number, (key, entry) in enumerate(node.keys.items()):
            at = offset + NODE_ENTRIES + number * ENTRY_SIZE
            self._cells[at : at + ENTRY_SIZE] = self._entry(key, entry, offset, in_row or node.is_row)
        return offset

    def _entry(self, key: str | int, entry: Entry, node: int, in_row: bool) -> list[int]:
        if self._bits == MAX_KEYS:
            raise ValueError(f"a grammar may name at most {MAX_KEYS} keys")
        bit = 1 << self._bits
        self._bits += 1
        if in_row:
            self._cells[ROW_BITS] |= bit
        value = entry.value
        if isinstance(value, Node):
            action = ROWS if value.is_row else NODE
            index = key if isinstance(key, int) else 0
            argument = self._node(value, node, index, 0 if value.is_row else entry.openers, in_row=in_row)
            required = value.is_row
        else:
            action, required = value.action, value.required
            argument = self._argument(value)
        if required:
            self._cells[ROW_REQUIRED if in_row else REQUIRED] |= bit
        return [*self._key(key), bit, entry.openers, action, argument]

    def _key(self, key: str | int) -> list[int]:
        if isinstance(key, int):
            return [0, key, 0]
        raw = key.encode()
        return [len(raw), int.from_bytes(raw[:WORD_BYTES], "little"), self._append(list(raw))]

    def _argument(self, leaf: Leaf) -> int:
        if leaf.action == INTEGER:
            slots = (cell for slot, unit in leaf.slots for cell in (slot, unit, INT64_MAX // unit if unit else 0))
            return self._append([len(leaf.slots), int(leaf.nullable), *slots])
        if leaf.action == IGNORE:
            offset = self._append([len(leaf.ignored), int(leaf.ignored_array), int(bool(leaf.options))])
            self.options((*leaf.ignored, *leaf.options))
            return offset
        if leaf.action in (TEXT, KIND_TEXT, SIDE, KEEP):
            return self.options(leaf.options)
        return leaf.argument
