/// Passes over the columns of a panel, eight elements at a time: a plain sum waits for the addition before it.
extension Matrix {
    private typealias Lanes = SIMD8<Double>

    /// Whether every element is a finite number.
    public var isFinite: Bool {
        storage.withUnsafeBufferPointer { values in
            // Zero times what is not finite is not a number.
            var (lanes, rest, t) = (Lanes(), 0.0, 0)
            while t + 8 <= values.count {
                lanes += Self.lanes(values, t) * 0
                t += 8
            }
            for i in t..<values.count { rest += values[i] * 0 }
            return lanes.sum() + rest == 0
        }
    }

    /// The mean of each column, refined once; a constant column has exactly its own value. Zeros where there are no rows.
    public var columnMeans: [Double] {
        guard rows > 0 else { return [Double](repeating: 0, count: columns) }
        return storage.withUnsafeBufferPointer { values in
            (0..<columns).map { j in
                let column = UnsafeBufferPointer(rebasing: values[(j * rows)..<((j + 1) * rows)])
                let rough = column[0] + Self.sum(column, less: column[0]) / Double(rows)
                return rough + Self.sum(column, less: rough) / Double(rows)
            }
        }
    }

    /// `sum_t weight_t x_t^2` of each column.
    public func columnSquares(weights: [Double]) -> [Double] {
        columnSquares(weights: weights, less: [Double](repeating: 0, count: columns))
    }

    /// `sum_t weight_t (x_t - level)^2` of each column, with a level a column.
    public func columnSquares(weights: [Double], less levels: [Double]) -> [Double] {
        precondition(weights.count == rows && levels.count == columns)
        return storage.withUnsafeBufferPointer { values in
            weights.withUnsafeBufferPointer { weight in
                (0..<columns).map { j in
                    let (start, level) = (j * rows, levels[j])
                    var (lanes, rest, t) = (Lanes(), 0.0, 0)
                    while t + 8 <= rows {
                        let x = Self.lanes(values, start + t) - level
                        lanes += Self.lanes(weight, t) * x * x
                        t += 8
                    }
                    for i in t..<rows { rest += weight[i] * (values[start + i] - level) * (values[start + i] - level) }
                    return lanes.sum() + rest
                }
            }
        }
    }

    /// The sums of neighbouring rows: up to and with the first end, from there to the second, and so on.
    /// - Parameter ends: row numbers, ascending.
    public func summed(upTo ends: [Int]) -> Matrix {
        precondition(ends.allSatisfy { $0 >= 0 && $0 < rows } && zip(ends, ends.dropFirst()).allSatisfy { $0 < $1 })
        var result = Matrix(rows: ends.count, columns: columns)
        let values = storage.span
        var sums = result.storage.mutableSpan
        for j in 0..<columns {
            var t = j * rows
            for (place, end) in ends.enumerated() {
                var sum = 0.0
                while t <= j * rows + end {
                    sum += values[t]
                    t += 1
                }
                sums[j * ends.count + place] = sum
            }
        }
        return result
    }

    /// The largest absolute element of each column; NaN elements are ignored.
    public var columnMagnitudes: [Double] {
        storage.withUnsafeBufferPointer { values in
            (0..<columns).map { j in
                let start = j * rows
                var (lanes, largest, t) = (Lanes(), 0.0, 0)
                while t + 8 <= rows {
                    let x = Self.lanes(values, start + t)
                    let size = x.replacing(with: -x, where: x .< 0)
                    lanes.replace(with: size, where: size .> lanes)
                    t += 8
                }
                for i in t..<rows where values[start + i].magnitude > largest { largest = values[start + i].magnitude }
                return max(largest, lanes.max())
            }
        }
    }

    /// Each column less a number of its own.
    public func subtracting(fromColumns levels: [Double]) -> Matrix {
        precondition(levels.count == columns)
        return mapped(levels, { $0 - $1 }) { $0 - $1 }
    }

    /// Each element times a number.
    public func scaled(by factor: Double) -> Matrix {
        mapped([Double](repeating: factor, count: columns), { $0 * $1 }) { $0 * $1 }
    }

    /// Each element times a number, less one of its column's own.
    public func scaled(by factor: Double, less levels: [Double]) -> Matrix {
        precondition(levels.count == columns)
        return mapped(levels, { $0 * factor - $1 }) { $0 * factor - $1 }
    }

    /// Each element with its column's number, eight at a time and one at a time.
    @inline(__always)
    private func mapped(
        _ numbers: [Double], _ wide: (Lanes, Lanes) -> Lanes, _ narrow: (Double, Double) -> Double
    ) -> Matrix {
        let values = [Double](unsafeUninitializedCapacity: storage.count) { result, count in
            storage.withUnsafeBufferPointer { values in
                for j in 0..<columns {
                    let (number, end) = (Lanes(repeating: numbers[j]), (j + 1) * rows)
                    var t = j * rows
                    while t + 8 <= end {
                        UnsafeMutableRawPointer(result.baseAddress.unsafelyUnwrapped + t)
                            .storeBytes(of: wide(Self.lanes(values, t), number), as: Lanes.self)
                        t += 8
                    }
                    for i in t..<max(end, t) { result[i] = narrow(values[i], numbers[j]) }
                }
            }
            count = storage.count
        }
        return Matrix(rows: rows, columns: columns, columnMajor: values)
    }

    /// Rows `factor_i (x_i - mean)` for rows of another matrix in a row, `mean` being theirs under the masses.
    /// - Parameters:
    ///   - x: as many columns as this one has.
    ///   - start: the first of its rows.
    ///   - masses: nonnegative, one a row.
    ///   - place: where the first row goes.
    public mutating func setCentred(
        _ x: Matrix, from start: Int, masses: ArraySlice<Double>, factors: ArraySlice<Double>, at place: Int
    ) {
        let (count, stride, width) = (masses.count, x.rows, rows)
        precondition(x.columns == columns && factors.count == count)
        precondition(start >= 0 && start + count <= stride && place >= 0 && place + count <= width)
        let total = masses.reduce(0, +)
        x.storage.withUnsafeBufferPointer { source in
            masses.withUnsafeBufferPointer { mass in
                factors.withUnsafeBufferPointer { factor in
                    storage.withUnsafeMutableBufferPointer { target in
                        for j in 0..<columns {
                            let (from, to) = (start + j * stride, place + j * width)
                            let mean = total > 0 ? Self.dot(source, from, mass) / total : 0
                            var i = 0
                            while i + 8 <= count {
                                UnsafeMutableRawPointer(target.baseAddress.unsafelyUnwrapped + to + i).storeBytes(
                                    of: Self.lanes(factor, i) * (Self.lanes(source, from + i) - mean), as: Lanes.self)
                                i += 8
                            }
                            for k in i..<max(count, i) { target[to + k] = factor[k] * (source[from + k] - mean) }
                        }
                    }
                }
            }
        }
    }

    private static func dot(
        _ x: UnsafeBufferPointer<Double>, _ start: Int, _ y: UnsafeBufferPointer<Double>
    ) -> Double {
        var (lanes, rest, t) = (Lanes(), 0.0, 0)
        while t + 8 <= y.count {
            lanes += Self.lanes(x, start + t) * Self.lanes(y, t)
            t += 8
        }
        for i in t..<y.count { rest += x[start + i] * y[i] }
        return lanes.sum() + rest
    }

    private static func sum(_ column: UnsafeBufferPointer<Double>, less level: Double) -> Double {
        var (lanes, rest, t) = (Lanes(), 0.0, 0)
        while t + 8 <= column.count {
            lanes += Self.lanes(column, t) - level
            t += 8
        }
        for i in t..<column.count { rest += column[i] - level }
        return lanes.sum() + rest
    }

    @inline(__always)
    private static func lanes(_ values: UnsafeBufferPointer<Double>, _ start: Int) -> Lanes {
        UnsafeRawPointer(values.baseAddress.unsafelyUnwrapped + start).loadUnaligned(as: Lanes.self)
    }
}
