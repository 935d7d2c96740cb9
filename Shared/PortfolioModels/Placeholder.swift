// PortfolioModels: replaced by its first type.
