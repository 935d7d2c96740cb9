// ServiceKit: replaced by its first type.
