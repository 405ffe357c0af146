"""What a venue called each subscription of one connection when it acknowledged it: its frames carry that and not the topic's key."""

from __future__ import annotations

from collections.abc import Mapping


class Aliases:
    """Both ways, one alias a topic. They end with the connection."""

    __slots__ = ("_alias_of", "_key_of")

    def __init__(self) -> None:
        self._key_of: dict[str, str] = {}
        self._alias_of: dict[str, str] = {}

    def name(self, key: str, alias: str) -> None:
        """From now on `alias` means `key`; what either meant before is forgotten."""
        self.forget(self._alias_of.get(key, ""))
        self.forget(alias)
        self._key_of[alias] = key
        self._alias_of[key] = alias

    def forget(self, alias: str) -> str | None:
        """The key that `alias` meant until now; None: nothing."""
        key = self._key_of.pop(alias, None)
        if key is not None:
            del self._alias_of[key]
        return key

    def key(self, alias: str) -> str | None:
        return self._key_of.get(alias)

    @property
    def alias_of(self) -> Mapping[str, str]:
        """Topic key -> alias."""
        return self._alias_of
