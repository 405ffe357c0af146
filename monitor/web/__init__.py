"""HTTP: metrics, health, JSON, the page."""
