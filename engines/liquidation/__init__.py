"""Liquidations: what a position is liquidated at, where leveraged positions sit, and what a cascade would do to the books (models.md 2-4)."""
