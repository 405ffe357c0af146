"""Why a connection ended or was replaced, and why a venue is halted: a short closed set, fit for a metric label."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    # the other end, or the network
    CLOSED_BY_VENUE = "closed_by_venue"
    CONNECTION_LOST = "connection_lost"
    FRAME_TOO_BIG = "frame_too_big"  # as it came, or inflated
    FRAME_DAMAGED = "frame_damaged"  # a compressed frame that does not inflate
    PROTOCOL_ERROR = "protocol_error"
    SEND_STALLED = "send_stalled"  # the venue no longer reads what we write
    # asked for by a session or the hub
    PING_LOST = "ping_lost"
    SILENT = "silent"
    CONNECTION_GAP = "connection_gap"  # the venue's numbers of the connection show that a frame is missing
    LIFETIME = "lifetime"  # the planned move before the venue's own cut
    SHUTDOWN_ANNOUNCED = "shutdown_announced"
    OPERATIONS_SPENT = "operations_spent"  # no subscribe frames left this hour on this connection
    SUCCEEDED = "succeeded"  # its successor carries its books
    ASKED = "asked"  # the hub, for a reason of its own
    # ours
    PLAN_CHANGED = "plan_changed"
    STOPPED = "stopped"
    INTERNAL_ERROR = "internal_error"
    # a venue as a whole
    HTTP_403 = "http_403"
    HTTP_418 = "http_418"
    HTTP_451 = "http_451"
    REFUSED = "refused"  # the venue module said so without one of these statuses
    UNREACHABLE = "unreachable"


HALT_STATUS = {403: Reason.HTTP_403, 418: Reason.HTTP_418, 451: Reason.HTTP_451}


def known_reason(text: str) -> Reason:
    """`text` as a member of the set; anything else was asked for by somebody outside the feed."""
    try:
        return Reason(text)
    except ValueError:
        return Reason.ASKED
