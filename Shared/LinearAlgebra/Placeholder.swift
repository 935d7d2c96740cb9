// LinearAlgebra: replaced by its first type.
