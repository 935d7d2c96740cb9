import RealModule

/// The logarithmic growth of one period.
enum LogarithmicGrowth {
    /// `ln(1 + x)`; minus infinity at a total loss.
    static func of(_ x: Double) -> Double { x > -1 ? Double.log(onePlus: x) : -.infinity }
}
