"""Where positions are liquidated and what becomes of them: brackets, liquidation and bankruptcy prices, slices, the fund, ADL."""
