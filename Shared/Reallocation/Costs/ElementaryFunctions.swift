private import Foundation

/// Functions of the C library under their names in words; nothing else of Foundation is needed in this target.
func exponential(_ x: Double) -> Double { exp(x) }

/// acosh(1 + y) for y >= 0, without losing a small y in the one.
func inverseHyperbolicCosineOfOnePlus(_ y: Double) -> Double { log1p(y + (y * (2 + y)).squareRoot()) }

func naturalLogarithm(_ x: Double) -> Double { log(x) }
