import LinearAlgebra
import WireFormat

/// What one iteration cannot do without on this machine: the rank-T update of an n x n matrix (T n^2 flops, one triangle)
/// and its Cholesky factorisation (n^3 / 3 flops), at the rate of this machine's BLAS.
enum BlasFloor {
    static func measure(observations: Int, assets: Int) -> JSONValue {
        let a = Matrix(
            rows: observations, columns: assets,
            columnMajor: (0..<(observations * assets)).map { Double(($0 &* 7919) % 1009) / 1009 - 0.5 })
        let clock = ContinuousClock()
        var update: [Double] = []
        var factor: [Double] = []
        var product = Matrix(rows: assets, columns: assets)
        let started = clock.now
        while update.count < 3 || (clock.now - started < .milliseconds(300) && update.count < 200) {
            let first = clock.now
            product.syrk(a, transposed: true)
            let second = clock.now
            var damped = product
            for i in 0..<assets { damped[i, i] += 1 }
            let third = clock.now
            guard (try? Cholesky(factorising: damped)) != nil else { break }
            factor.append((clock.now - third) / .milliseconds(1))
            update.append((second - first) / .milliseconds(1))
        }
        let (fast, quick) = (update.min() ?? 0, factor.min() ?? 0)
        let flops = Double(observations) * Double(assets) * Double(assets)
        return [
            "update_ms": JSONValue(fast), "factor_ms": JSONValue(quick), "iteration_ms": JSONValue(fast + quick),
            "gflops": JSONValue(fast > 0 ? flops / fast / 1e6 : 0),
        ]
    }
}
