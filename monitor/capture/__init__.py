"""Recordings: what the hub saw, as MCAP files; how they are written, read, imported and served again."""
