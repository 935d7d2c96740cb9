// Reallocation: replaced by its first type.
