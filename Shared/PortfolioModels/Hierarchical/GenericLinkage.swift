import LinearAlgebra

/// Centroid and median linkage, whose heights may fall: the generic algorithm.
///
/// Each cluster keeps a candidate for its nearest neighbour among clusters of higher index and a lower bound of that distance;
/// a heap yields the least bound, which is recomputed until it is exact. O(n^3) at worst, near O(n^2) in practice.
///
/// Source: D. Muellner (2011), Modern Hierarchical, Agglomerative Clustering Algorithms, arXiv 1109.2378, section 3.1.
enum GenericLinkage {
    /// The tree of the n points, its merges in the order in which they were made.
    static func tree(_ distance: Matrix, _ method: LinkageMethod) -> Dendrogram {
        let n = distance.rows
        guard n > 1 else { return Dendrogram(merges: []) }
        var state = State(distance)
        var merges: [Dendrogram.Merge] = []
        merges.reserveCapacity(n - 1)
        for step in 0..<(n - 1) {
            let (x, y, height) = state.closestPair(remaining: n - step)
            let (first, second) = (state.label[x], state.label[y])
            let size = state.sizes[x] + state.sizes[y]
            merges.append(
                Dendrogram.Merge(left: min(first, second), right: max(first, second), height: height, size: size))
            state.merge(x, into: y, height, method)
            state.label[y] = n + step
        }
        return Dendrogram(merges: merges)
    }

    private struct State {
        let n: Int
        var d: [Double]
        var sizes: [Int]
        /// The number of the cluster in the tree.
        var label: [Int]
        /// Candidate and lower bound, by cluster; the last one has none.
        var candidate: [Int]
        var bound: [Double]
        var heap: IndexedHeap

        init(_ distance: Matrix) {
            n = distance.rows
            d = distance.storage
            sizes = [Int](repeating: 1, count: n)
            label = Array(0..<n)
            candidate = [Int](repeating: 0, count: n - 1)
            bound = [Double](repeating: .infinity, count: n - 1)
            heap = IndexedHeap([])
            for x in 0..<(n - 1) { refresh(x) }
            heap = IndexedHeap(bound)
        }

        /// Makes the candidate of x exact.
        private mutating func refresh(_ x: Int) {
            var (least, y) = (Double.infinity, x + 1)
            for i in (x + 1)..<n where sizes[i] > 0 && d[x * n + i] < least {
                least = d[x * n + i]
                y = i
            }
            candidate[x] = y
            bound[x] = least
        }

        /// The closest pair, x the lower index; x leaves the heap.
        mutating func closestPair(remaining: Int) -> (x: Int, y: Int, height: Double) {
            var (x, y, height) = (0, 1, 0.0)
            for _ in 0..<remaining {
                x = heap.least
                y = candidate[x]
                height = heap.leastValue
                if height == d[x * n + y], sizes[y] > 0 { break }
                refresh(x)
                y = candidate[x]
                height = bound[x]
                heap.change(x, to: height)
            }
            heap.removeLeast()
            return (x, y, height)
        }

        mutating func merge(_ x: Int, into y: Int, _ height: Double, _ method: LinkageMethod) {
            var merging = LinkageMethod.Merging(x: Double(sizes[x]), y: Double(sizes[y]), z: 1, distance: height)
            sizes[y] += sizes[x]
            sizes[x] = 0
            for z in 0..<n where sizes[z] > 0 && z != y {
                merging.z = Double(sizes[z])
                let value = method.updated(d[z * n + x], d[z * n + y], merging)
                d[z * n + y] = value
                d[y * n + z] = value
            }
            for z in 0..<x where sizes[z] > 0 && candidate[z] == x { candidate[z] = y }
            for z in 0..<y where sizes[z] > 0 && d[z * n + y] < bound[z] {
                candidate[z] = y
                bound[z] = d[z * n + y]
                heap.change(z, to: bound[z])
            }
            guard y < n - 1 else { return }
            refresh(y)
            if bound[y] < .infinity { heap.change(y, to: bound[y]) }
        }
    }
}

/// A binary heap of values by key that can change a value in place.
struct IndexedHeap {
    private var keys: [Int]
    private var values: [Double]
    /// Place of each key.
    private var place: [Int]
    private var count: Int

    /// A heap of the values, keyed from zero.
    init(_ values: [Double]) {
        self.values = values
        keys = Array(values.indices)
        place = keys
        count = values.count
        for index in stride(from: count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    /// The key of the least value. The heap is not empty.
    var least: Int { keys[0] }
    /// The least value.
    var leastValue: Double { values[0] }

    /// Takes the least value out.
    mutating func removeLeast() {
        exchange(0, count - 1)
        count -= 1
        sink(0)
    }

    /// Gives a key another value.
    mutating func change(_ key: Int, to value: Double) {
        let index = place[key]
        guard index < count else { return }
        let old = values[index]
        values[index] = value
        if value < old { rise(index) } else { sink(index) }
    }

    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard values[parent] > values[index] else { return }
            exchange(index, parent)
            index = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < count else { return }
            if child + 1 < count, values[child + 1] < values[child] { child += 1 }
            guard values[index] > values[child] else { return }
            exchange(index, child)
            index = child
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        values.swapAt(a, b)
        keys.swapAt(a, b)
        place[keys[a]] = a
        place[keys[b]] = b
    }
}
