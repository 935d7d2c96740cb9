// WireFormat: replaced by its first type.
