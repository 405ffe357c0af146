"""Venues as data: addresses, subscriptions, grammars, limits, and pure functions from frames to facts."""
