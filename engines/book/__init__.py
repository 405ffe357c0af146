"""One market's book: the ladder, the sync machine, depth bands, cost to trade, and how far it is verified."""
