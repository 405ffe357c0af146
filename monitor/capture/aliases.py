"""The names a venue gives to subscriptions, read out of a connection's frames without a session."""

from __future__ import annotations

from monitor.errors import FrameError
from monitor.feed.aliases import Aliases
from monitor.venues.base import Acked, Venue


def learn(venue: Venue, aliases: Aliases, frame: bytes) -> None:
    """What `frame`, of any kind, says about names."""
    try:
        if venue.frame_key(frame) is not None or venue.slow_frame_key(frame) is not None:
            return  # data
        said = venue.control(frame)
    except FrameError:
        return
    for control in said:
        if not isinstance(control, Acked) or not control.alias:
            continue
        if control.unsubscribed:
            aliases.forget(control.alias)
        elif control.keys:  # of several the likeliest comes first
            aliases.name(control.keys[0], control.alias)
