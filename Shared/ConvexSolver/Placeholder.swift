// ConvexSolver: replaced by its first type.
