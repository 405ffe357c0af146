"""docs/reference, made from the code: metrics, topics, payload schemas, settings, venues."""
