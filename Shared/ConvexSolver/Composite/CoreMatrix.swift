import LinearAlgebra

/// The Newton matrix of the core variables while it is being added up; the lower triangle counts.
struct CoreMatrix {
    var matrix: Matrix

    init(order: Int) { matrix = Matrix(rows: order, columns: order) }

    mutating func reset() {
        for i in matrix.storage.indices { matrix.storage[i] = 0 }
    }

    /// Adds to element (i, j), and so to (j, i).
    mutating func add(_ value: Double, _ i: Int, _ j: Int) {
        matrix.storage[i >= j ? i + j * matrix.rows : j + i * matrix.rows] += value
    }

    /// Adds a symmetric matrix, given by its lower triangle, over some of the variables.
    mutating func add(_ part: Matrix, at indices: [Int]) {
        let isContiguous = indices.indices.allSatisfy { indices[$0] == indices[0] + $0 }
        let (n, m) = (indices.count, matrix.rows)
        if isContiguous {
            let start = indices.first ?? 0
            let source = part.storage
            var target = matrix.storage.mutableSpan
            for j in 0..<n {
                let to = start + (start + j) * m
                for i in j..<n { target[to + i] += source[i + j * n] }
            }
            return
        }
        for j in 0..<n {
            for i in j..<n where part.storage[i + j * n] != 0 {
                let value = part.storage[i + j * n]
                // Two columns may belong to one variable; their product then counts from both sides.
                add(i != j && indices[i] == indices[j] ? 2 * value : value, indices[i], indices[j])
            }
        }
    }

    /// Adds `scale u u'`.
    mutating func addOuter(_ u: [Double], scale: Double) {
        let m = matrix.rows
        for j in 0..<m where u[j] != 0 {
            let factor = scale * u[j]
            for i in j..<m { matrix.storage[i + j * m] += factor * u[i] }
        }
    }
}

/// Room for the scaled rows of the block in hand; all blocks use it in turn.
///
/// Rows are taken in groups that stay in the processor's cache, so that no copy of a whole panel is held.
struct Workspace {
    /// For rows of one shape.
    fileprivate struct Room {
        var rows: Matrix
        var product: Matrix
        var roots: [Double]
    }

    /// One for each shape, from the first time on that it comes.
    private var rooms: [Room] = []
    /// The core variable of each column.
    private var places: [Int] = []

    /// The most rows of a group.
    static let largestGroup = 1024

    /// Rows of each group: as many groups as needed, all of one size.
    static func group(of count: Int) -> Int {
        let groups = max((count + largestGroup - 1) / largestGroup, 1)
        return (count + groups - 1) / groups
    }

    /// Adds `sum_t weight_t p_t p_t'` to the core, p_t being row t of the map with its border columns, and less those of the function.
    ///
    /// The cost is one pass to scale the rows and one syrk.
    mutating func addWeighted(
        _ map: RowMap, own: [RowMap.Border], weights: [Double], to core: inout CoreMatrix
    ) {
        let (count, width) = (map.rows, map.columns.count + map.borders.count + own.count)
        // A function of no scenario adds nothing.
        guard count > 0 else { return }
        let size = Self.group(of: count)
        let room = room(size, width)
        places.removeAll(keepingCapacity: true)
        places.append(contentsOf: map.columns)
        for border in map.borders { places.append(border.index) }
        for border in own { places.append(border.index) }
        for start in stride(from: 0, to: count, by: size) {
            rooms[room].add(map, own, weights, from: start)
        }
        core.add(rooms[room].product, at: places)
    }

    private mutating func room(_ size: Int, _ width: Int) -> Int {
        if let known = rooms.firstIndex(where: { $0.rows.rows == size && $0.rows.columns == width }) { return known }
        rooms.append(
            Room(
                rows: Matrix(rows: size, columns: width), product: Matrix(rows: width, columns: width),
                roots: [Double](repeating: 0, count: size)))
        return rooms.count - 1
    }
}

extension Workspace.Room {
    /// Adds the group that begins at a row, each row times the root of its weight; the first group takes the place of what was there.
    fileprivate mutating func add(_ map: RowMap, _ own: [RowMap.Border], _ weights: [Double], from start: Int) {
        let (count, size) = (map.rows, roots.count)
        Self.root(weights, from: start, &roots)
        Self.scale(map.matrix.storage, count, from: start, roots, &rows.storage, at: 0, by: map.factor)
        var place = map.columns.count * size
        for border in map.borders {
            Self.scale(border.values, count, from: start, roots, &rows.storage, at: place, by: 1)
            place += size
        }
        for border in own {
            Self.scale(border.values, count, from: start, roots, &rows.storage, at: place, by: -1)
            place += size
        }
        product.syrk(rows, transposed: true, beta: start == 0 ? 0 : 1)
    }

    /// Roots of a group's weights; zero after the last one.
    private static func root(_ weights: [Double], from start: Int, _ roots: inout [Double]) {
        let weight = weights.span
        var root = roots.mutableSpan
        for t in 0..<root.count { root[t] = start + t < weight.count ? weight[start + t].squareRoot() : 0 }
    }

    /// The group's part of each column of `count` rows, times the factors.
    private static func scale(
        _ source: [Double], _ count: Int, from start: Int, _ factors: [Double], _ target: inout [Double], at place: Int,
        by number: Double
    ) {
        let size = factors.count
        let kept = min(size, count - start)
        let from = source.span
        let factor = factors.span
        var to = target.mutableSpan
        var (column, out) = (start, place)
        while column < from.count {
            for t in 0..<kept { to[out + t] = number * factor[t] * from[column + t] }
            for t in kept..<size { to[out + t] = 0 }
            column += count
            out += size
        }
    }
}
