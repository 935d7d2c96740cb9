/// The ratio test: how far a positive vector may move.
enum StepLength {
    /// The largest step in [0, 1] that keeps `fraction` of the way to the boundary.
    static func toBoundary(_ values: [Double], _ direction: [Double], fraction: Double = 1) -> Double {
        var step = Double.infinity
        for i in values.indices where direction[i] < 0 {
            let limit = -values[i] / direction[i]
            if limit < step { step = limit }
        }
        return min(1, fraction * step)
    }
}
