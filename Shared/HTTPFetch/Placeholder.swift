// HTTPFetch: replaced by its first type.
