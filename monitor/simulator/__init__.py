"""Simulated venues: they speak the real protocols on loopback from a seeded scenario, and misbehave on command."""
