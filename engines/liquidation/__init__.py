"""Where leveraged positions sit, what moves liquidate them, and what a fall of the price sets off."""
