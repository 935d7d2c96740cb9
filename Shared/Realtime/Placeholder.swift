// Realtime: replaced by its first type.
