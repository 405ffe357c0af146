"""Trades: what the takers did."""
