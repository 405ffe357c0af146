"""The running service: hub, feed, recorder, delivery and HTTP put together, and their life from start to stop."""
