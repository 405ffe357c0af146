"""Venues that send every frame as a gzip member: inflated before anybody sees it, and never to more than a bound."""

from __future__ import annotations

import zlib

from monitor.feed.reasons import Reason

GZIP_WINDOW = 31  # zlib's wbits: 15 bits of window, and 16 for "a gzip header and its checksum"


def inflate(data: bytes, most: int) -> bytes | Reason:
    """The content of one gzip member; what is wrong with it where it is damaged, not alone, or longer than `most` bytes."""
    member = zlib.decompressobj(GZIP_WINDOW)
    try:
        content = member.decompress(data, most + 1)
    except zlib.error:
        return Reason.FRAME_DAMAGED
    if len(content) > most:
        return Reason.FRAME_TOO_BIG
    return content if member.eof and not member.unused_data else Reason.FRAME_DAMAGED
