"""Depth over time: baselines (acute and chronic), refill after a sweep, and who removed the depth."""
