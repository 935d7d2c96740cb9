import WireFormat

/// A portfolio beside a benchmark.
enum BenchmarkComparison {
    /// The annual figures, appended to the metrics: what is undefined is nil.
    ///
    /// `tracking_error` is sqrt(periods) times the root of the sum of squared differences over T - 1, not centred (Riskfolio-Lib's and
    /// skfolio's); `information_ratio` the mean difference over it; `beta`, `alpha` those of the regression of excess returns.
    static func figures(
        _ x: [Double], _ benchmark: [Double], periodsPerYear: Double, riskFreeRate: Double
    ) -> [OptimizeResponse.Figure] {
        let root = periodsPerYear.squareRoot()
        let difference = zip(x, benchmark).map { $0 - $1 }
        let freedom = SeriesMath.degreesOfFreedom(x)
        let error = root * SeriesMath.rootMeanSquare(difference, divisor: freedom)
        let (a, b) = (SeriesMath.centred(x), SeriesMath.centred(benchmark))
        let joint = zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / freedom
        let (own, theirs) = (
            SeriesMath.rootMeanSquare(a, divisor: freedom), SeriesMath.rootMeanSquare(b, divisor: freedom)
        )
        let active = periodsPerYear * SeriesMath.mean(difference)
        let beta = theirs > 0 ? joint / (theirs * theirs) : nil
        let market = periodsPerYear * SeriesMath.mean(benchmark) - riskFreeRate
        let size = x.reduce(0) { max($0, abs($1)) }
        return [
            .init("benchmark_return", periodsPerYear * SeriesMath.mean(benchmark)),
            .init("benchmark_volatility", root * theirs),
            .init("active_return", active), .init("tracking_error", error),
            .init("information_ratio", error > 1e-13 * size * root ? active / error : nil),
            .init("beta", beta),
            .init("alpha", beta.map { periodsPerYear * SeriesMath.mean(x) - riskFreeRate - $0 * market }),
            .init("correlation", own > 0 && theirs > 0 ? joint / (own * theirs) : nil),
        ]
    }
}
