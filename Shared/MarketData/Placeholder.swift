// MarketData: replaced by its first type.
