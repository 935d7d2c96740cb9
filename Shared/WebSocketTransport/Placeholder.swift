// WebSocketTransport: replaced by its first type.
