/// Hand-written loops over symmetric matrices; everything heavier is a call to BLAS.
extension Matrix {
    /// Copies the lower triangle onto the upper one.
    public mutating func mirrorLowerTriangle() {
        precondition(rows == columns)
        let n = rows
        for j in 0..<n {
            for i in (j + 1)..<max(n, j + 1) { storage[j + i * n] = storage[i + j * n] }
        }
    }

    /// self += diag(values).
    public mutating func addToDiagonal(_ values: [Double]) {
        precondition(rows == columns && values.count == rows)
        for i in 0..<rows { storage[i + i * rows] += values[i] }
    }

    /// Lower triangle of diag(d) self diag(d).
    public mutating func scaleLowerTriangle(by d: [Double]) {
        precondition(rows == columns && d.count == rows)
        let n = rows
        var values = storage.mutableSpan
        for j in 0..<n {
            let dj = d[j]
            let start = j * n
            for i in j..<n { values[start + i] *= d[i] * dj }
        }
    }

    /// diag(left) self diag(right).
    public func scaled(rows left: [Double], columns right: [Double]) -> Matrix {
        precondition(left.count == rows && right.count == columns)
        var result = self
        var values = result.storage.mutableSpan
        for j in 0..<columns {
            let factor = right[j]
            let start = j * rows
            for i in 0..<rows { values[start + i] *= left[i] * factor }
        }
        return result
    }

    /// diag(left) self.
    public func scaled(rows left: [Double]) -> Matrix {
        precondition(left.count == rows)
        var result = self
        var values = result.storage.mutableSpan
        for j in 0..<columns {
            let start = j * rows
            for i in 0..<rows { values[start + i] *= left[i] }
        }
        return result
    }
}
