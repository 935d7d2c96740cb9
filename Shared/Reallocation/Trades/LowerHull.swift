/// Lower convex hulls of the one-asset choices, all in one array: what a convex relaxation can know of them.
struct LowerHulls {
    private(set) var k: [Double] = []
    private(set) var y: [Double] = []
    /// Where the hull of each asset starts; one more entry than assets.
    private(set) var starts: [Int] = [0]

    /// The next asset's hull, of points in ascending k.
    mutating func append(_ points: [(k: Double, y: Double)]) {
        let start = k.count
        for point in points {
            while k.count - start >= 2 {
                let (a, b) = (k.count - 2, k.count - 1)
                // b lies on or above the line from a to the new point.
                guard (y[b] - y[a]) * (point.k - k[a]) >= (point.y - y[a]) * (k[b] - k[a]) else { break }
                k.removeLast()
                y.removeLast()
            }
            k.append(point.k)
            y.append(point.y)
        }
        starts.append(k.count)
    }

    mutating func removeAll() {
        k.removeAll(keepingCapacity: true)
        y.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        starts.append(0)
    }

    /// Where hull + smooth part is least, the smooth part having the given slope at `at` and a constant curvature.
    @inline(__always)
    func least(_ asset: Int, slope: Double, curvature: Double, at: Double) -> Double {
        let (first, last) = (starts[asset], starts[asset + 1] - 1)
        guard first < last else { return k[first] }
        // The first vertex from which the sum does not fall any more.
        var (low, high) = (first, last)
        while low < high {
            let middle = (low + high) / 2
            let rise = (y[middle + 1] - y[middle]) / (k[middle + 1] - k[middle])
            if rise + slope + curvature * (k[middle] - at) < 0 { low = middle + 1 } else { high = middle }
        }
        guard low > first else { return k[first] }
        let before = (y[low] - y[low - 1]) / (k[low] - k[low - 1])
        let derivative = before + slope + curvature * (k[low] - at)
        guard derivative > 0, curvature > 0 else { return k[low] }
        return max(k[low - 1], k[low] - derivative / curvature)
    }

    /// The vertices beside a point, and how far it lies from the first to the second.
    func around(_ asset: Int, _ at: Double) -> (below: Double, above: Double, share: Double) {
        let (first, last) = (starts[asset], starts[asset + 1] - 1)
        var (low, high) = (first, last)
        while low < high {
            let middle = (low + high) / 2
            if k[middle] < at { low = middle + 1 } else { high = middle }
        }
        guard low > first, k[low] > at else { return (k[low], k[low], 0) }
        return (k[low - 1], k[low], (at - k[low - 1]) / (k[low] - k[low - 1]))
    }
}
