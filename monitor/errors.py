"""Errors answer one question: retry, resync, refuse or stop. This is the whole tree."""

from __future__ import annotations


class UndertowError(Exception):
    """Base of everything raised on purpose. The message is one line that says what to do."""


class SettingsError(UndertowError):
    """Wrong use or settings: exit code 2."""


class FrameError(UndertowError):
    """Refuse: this frame is not what its channel promises. Counted; the connection goes on."""


class VenueError(UndertowError):
    """The venue answered with an error of its own."""


class RetryLater(VenueError):
    """Retry: after `seconds` (the venue's Retry-After, or our back-off)."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class VenueStopped(VenueError):
    """Stop: this venue refuses this address (403, 418, 451). No retry before `seconds`; None: not before a restart."""

    def __init__(self, message: str, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds


class RecordingError(UndertowError):
    """A recording cannot be read or written."""


class StateError(UndertowError):
    """The state database cannot be opened or written."""


class BrokerError(UndertowError):
    """The broker refused us (password, ACL, TLS, session taken over)."""


class ServiceError(UndertowError):
    """A running Undertow does not answer, or answers what it should not."""
