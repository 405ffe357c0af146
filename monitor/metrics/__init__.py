"""Everything Prometheus sees: one table of metrics, counters fed on the hot path, and the renderer of a scrape."""
