"""The service: venues, sockets, markets, alerts, metrics, the page."""
