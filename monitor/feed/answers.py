"""Whom a venue's answer is about: by the request's number, by the topics it names, by the list it gives of all it took, or by its turn."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.feed.subscription import Phase, Request, Subscription
from monitor.venues.base import Acked

Requests = Mapping[int, Request]  # on the wire, oldest first


def meant_by(
    requests: Requests,
    subscriptions: Mapping[str, Subscription],
    number: int | None,
    keys: tuple[str, ...],
    *,
    refusal: bool,
) -> list[Subscription]:
    """The subscriptions that wait for exactly this answer (or, refused, were acked before)."""
    request = requests.get(number) if number is not None else None
    if not keys:
        return [] if request is None else list(request.pending.values())
    if number is not None and request is None:
        return []
    found = []
    for key in keys:
        subscription = subscriptions.get(key)
        if subscription is None:
            continue
        if refusal and request is None and subscription.phase is Phase.ACKED:
            found.append(subscription)
        if subscription.phase not in (Phase.ASKED, Phase.LEAVING):
            continue
        if request is None or request.pending.get(key) is subscription:
            found.append(subscription)
    return found


def oldest(requests: Requests, *, leaving: bool) -> int | None:
    """The number of the request that an answer without any name is to (`in_order`); None: nobody waits for one.

    Topics of it may have been heard before: they wait for nothing, and the answer is to that request all the same.
    """
    return next((number for number, request in requests.items() if request.leaving is leaving), None)


def listed_by(requests: Requests, ack: Acked) -> tuple[list[Subscription], list[Subscription]]:
    """Of an ack that lists what was taken (`Acked.only`): whom it confirms, and whom the venue left out.

    With a number the list answers that request. Without one it is of everything the connection has: it answers the oldest
    subscribe of which a topic is listed, and every unsubscribe whose topics are not.
    """
    taken = set(ack.keys)
    if ack.request_id is not None:
        request = requests.get(ack.request_id)
        if request is None:
            return [], []
        if request.leaving:  # what is not named was not subscribed either
            return list(request.pending.values()), []
        return _parted(request, taken)
    confirmed: list[Subscription] = []
    dropped: list[Subscription] = []
    answered = False
    for request in requests.values():
        listed, others = _parted(request, taken)
        confirmed += others if request.leaving else listed
        if listed and not answered and not request.leaving:
            answered = True
            dropped = others
    return confirmed, dropped


def _parted(request: Request, taken: set[str]) -> tuple[list[Subscription], list[Subscription]]:
    listed = [subscription for key, subscription in request.pending.items() if key in taken]
    return listed, [subscription for key, subscription in request.pending.items() if key not in taken]
