"""Liquidation: where leveraged positions are forced out, and what their sale does to the book (models.md 2-4)."""
