"""Which waiting subscriptions go out together in one frame."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.feed.subscription import Phase, Subscription


def next_batch(ready: Sequence[Subscription], topics_per_frame: int) -> list[Subscription]:
    """Of those whose time has come, oldest first; empty: nothing to send. Subscribes before unsubscribes: what was begun is finished first."""
    first = next((s for s in ready if s.phase is Phase.QUEUED), ready[0] if ready else None)
    if first is None:
        return []
    limit = 1 if first.alone else first.batch_limit or topics_per_frame
    batch = [first]
    for subscription in ready:
        if len(batch) >= limit:
            break
        if (
            subscription is not first
            and not subscription.alone
            and subscription.phase is first.phase
            and subscription.batch_limit == first.batch_limit
        ):
            batch.append(subscription)
    return batch
