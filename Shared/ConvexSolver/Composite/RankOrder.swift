/// Places in the rising order of their values, kept from one set of values to the next: what is nearly in order costs a few passes.
///
/// A natural merge sort, stable, in the memory it has: D. Knuth, The Art of Computer Programming 3, algorithm 5.2.4N.
struct RankOrder {
    private(set) var places: [Int]
    private var room: [Int]

    init(count: Int) {
        places = Array(0..<count)
        room = places
    }

    mutating func sort(by values: [Double]) {
        while Self.mergeRuns(values, places, &room) > 1 { swap(&places, &room) }
        swap(&places, &room)
    }

    /// Merges neighbouring runs of rising values in pairs; returns how many runs that leaves.
    private static func mergeRuns(_ values: [Double], _ source: [Int], _ target: inout [Int]) -> Int {
        let (values, source) = (values.span, source.span)
        var out = target.mutableSpan
        /// One past the run that begins at a rank.
        func end(_ start: Int) -> Int {
            guard start < source.count else { return start }
            var rank = start + 1
            while rank < source.count, !(values[source[rank]] < values[source[rank - 1]]) { rank += 1 }
            return rank
        }
        var (start, runs) = (0, 0)
        while start < source.count {
            let middle = end(start)
            let last = end(middle)
            var (left, right) = (start, middle)
            for rank in start..<last {
                if right == last || (left < middle && !(values[source[right]] < values[source[left]])) {
                    out[rank] = source[left]
                    left += 1
                } else {
                    out[rank] = source[right]
                    right += 1
                }
            }
            (start, runs) = (last, runs + 1)
        }
        return runs
    }
}
