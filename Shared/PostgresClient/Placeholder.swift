// PostgresClient: replaced by its first type.
