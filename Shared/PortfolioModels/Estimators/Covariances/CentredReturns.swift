import LinearAlgebra

/// T x N returns less their means.
enum CentredReturns {
    static func of(_ panel: ReturnPanel) -> Matrix { of(panel.returns) }

    /// Each column less its mean, which is refined once; a constant column becomes exact zeros.
    static func of(_ returns: Matrix) -> Matrix {
        var centred = returns
        let count = returns.rows
        var values = centred.storage.mutableSpan
        for column in 0..<returns.columns {
            let start = column * count
            guard count > 0 else { break }
            let first = values[start]
            // Four sums at a time: one alone waits for the addition before it.
            var isConstant = true
            let rough = sum(values, start, count, less: 0, equal: first, &isConstant) / Double(count)
            var ignored = true
            let mean = rough + sum(values, start, count, less: rough, equal: first, &ignored) / Double(count)
            for t in start..<(start + count) { values[t] = isConstant ? 0 : values[t] - mean }
        }
        return centred
    }

    private static func sum(
        _ values: borrowing MutableSpan<Double>, _ start: Int, _ count: Int, less shift: Double, equal first: Double,
        _ isConstant: inout Bool
    ) -> Double {
        var (a, b, c, d) = (0.0, 0.0, 0.0, 0.0)
        var differs = false
        let whole = start + count / 4 * 4
        for t in stride(from: start, to: whole, by: 4) {
            a += values[t] - shift
            b += values[t + 1] - shift
            c += values[t + 2] - shift
            d += values[t + 3] - shift
            if values[t] != first || values[t + 1] != first || values[t + 2] != first || values[t + 3] != first {
                differs = true
            }
        }
        for t in whole..<(start + count) {
            a += values[t] - shift
            if values[t] != first { differs = true }
        }
        isConstant = !differs
        return (a + b) + (c + d)
    }

    /// X'X / T of centred returns, both triangles: the covariance with divisor T, which shrinkage starts from.
    static func covariance(_ centred: Matrix) -> Matrix {
        scaled(centred.gram(), by: 1 / Double(centred.rows))
    }

    static func scaled(_ matrix: Matrix, by factor: Double) -> Matrix {
        var result = matrix
        for index in result.storage.indices { result.storage[index] *= factor }
        return result
    }
}
