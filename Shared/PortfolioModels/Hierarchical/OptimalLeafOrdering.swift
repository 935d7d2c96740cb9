import LinearAlgebra

/// Turns the branches of a tree so that neighbouring leaves are as close as they can be.
///
/// Of the 2^(n-1) orders that a tree allows, the one with the least sum of distances of neighbours. M[u, w] is the least sum of a
/// node's order that begins at u and ends at w; it is built upwards from those of the children,
/// ```
/// M[u, w] = min_{m, k} M[u, m] + M[k, w] + d(m, k),   u, m in the left child on different sides, k, w in the right one
/// ```
/// with m and k tried from the least M on and left as soon as nothing better can come. M is in single precision, like SciPy's,
/// so that equal orders are told apart alike. About n^2 pairs with a few trials each; n^2 single-precision numbers.
///
/// Source: Z. Bar-Joseph, D. K. Gifford, T. S. Jaakkola (2001), Fast Optimal Leaf Ordering for Hierarchical Clustering,
/// Bioinformatics 17.
enum OptimalLeafOrdering {
    /// The tree with its branches turned.
    static func ordered(_ tree: Dendrogram, _ distance: Matrix) -> Dendrogram {
        let n = tree.leaves
        guard n > 2 else { return tree }
        var search = Search(tree, distance)
        let turns = search.turns()
        // Turning a node reverses all that is below it.
        var result = tree
        var isTurned = [Bool](repeating: false, count: tree.merges.count)
        for index in tree.merges.indices.reversed() {
            let merge = tree.merges[index]
            if turns[index] { isTurned[index].toggle() }
            for child in [merge.left, merge.right] where child >= n && isTurned[index] { isTurned[child - n].toggle() }
            if isTurned[index] {
                result.merges[index].left = merge.right
                result.merges[index].right = merge.left
            }
        }
        return result
    }

    private struct Search {
        let tree: Dendrogram
        let n: Int
        /// Distances between places of the present order.
        var d: [Double]
        /// Places of the leaves of each node: every node is a range.
        var range: [Range<Int>]
        /// M, symmetric.
        var least: [Float]
        /// Places by ascending M[., w], one row for each w of the node at hand.
        var byFirst: [Int32]
        var bySecond: [Int32]

        init(_ tree: Dendrogram, _ distance: Matrix) {
            self.tree = tree
            let n = tree.leaves
            self.n = n
            let order = tree.leafOrder
            d = [Double](repeating: 0, count: n * n)
            for (a, leaf) in order.enumerated() {
                for (b, other) in order.enumerated() { d[a * n + b] = distance.storage[other * n + leaf] }
            }
            var place = [Int](repeating: 0, count: n)
            for (index, leaf) in order.enumerated() { place[leaf] = index }
            range = (0..<n).map { place[$0]..<(place[$0] + 1) }
            for merge in tree.merges {
                range.append(range[merge.left].lowerBound..<range[merge.right].upperBound)
            }
            least = [Float](repeating: 0, count: n * n)
            byFirst = []
            bySecond = []
        }

        /// Whether each node is turned, seen from its parent.
        mutating func turns() -> [Bool] {
            var turns = [Bool](repeating: false, count: tree.merges.count)
            for merge in tree.merges {
                let left = sides(merge.left, outerFirst: true)
                let right = sides(merge.right, outerFirst: false)
                var best = (value: Float.infinity, u: -1, w: -1, isTurned: (false, false))
                for a in left.indices {
                    for b in right.indices { pairs(left[a], right[b]) }
                }
                // The first best pair in the order of places decides.
                for u in range[merge.left] {
                    for w in range[merge.right] where least[u * n + w] < best.value {
                        best.value = least[u * n + w]
                        best.u = u
                        best.w = w
                    }
                }
                if merge.left >= n, left.count == 2 { turns[merge.left - n] = left[1].outer.contains(best.u) }
                if merge.right >= n, right.count == 2 { turns[merge.right - n] = right[1].outer.contains(best.w) }
            }
            return turns
        }

        private struct Sides {
            /// Where the order of the parent begins or ends.
            var outer: Range<Int>
            /// Where it meets the other child.
            var inner: Range<Int>
        }

        private func sides(_ node: Int, outerFirst: Bool) -> [Sides] {
            guard let (left, right) = tree.children(node) else {
                return [Sides(outer: range[node], inner: range[node])]
            }
            let plain = Sides(outer: range[left], inner: range[right])
            let turned = Sides(outer: range[right], inner: range[left])
            return outerFirst ? [plain, turned] : [turned, plain]
        }

        /// M of all pairs of the outer sides of the left and right child.
        private mutating func pairs(_ left: Sides, _ right: Sides) {
            let closest = closestDistance(left.inner, right.inner)
            sort(left, into: &byFirst)
            sort(right, into: &bySecond)
            let block = Block(
                n: n, left: left.outer, right: right.outer, firsts: left.inner.count, seconds: right.inner.count,
                closest: closest)
            block.fill(&least, d, byFirst, bySecond)
        }

        private func closestDistance(_ a: Range<Int>, _ b: Range<Int>) -> Float {
            var least = Double.infinity
            for m in a {
                for k in b where d[m * n + k] < least { least = d[m * n + k] }
            }
            return Float(least)
        }

        /// For each outer place the inner places by ascending M.
        private func sort(_ sides: Sides, into order: inout [Int32]) {
            order.removeAll(keepingCapacity: true)
            order.reserveCapacity(sides.outer.count * sides.inner.count)
            var row: [(Float, Int32)] = []
            for u in sides.outer {
                row.removeAll(keepingCapacity: true)
                for m in sides.inner { row.append((least[u * n + m], Int32(m))) }
                row.sort { $0.0 < $1.0 }
                for entry in row { order.append(entry.1) }
            }
        }

    }

    /// M of one pair of sides.
    private struct Block {
        let n: Int
        /// Outer places of the left and right child.
        let left: Range<Int>
        let right: Range<Int>
        /// Numbers of their inner places.
        let firsts: Int
        let seconds: Int
        /// The least distance between inner places.
        let closest: Float

        func fill(_ least: inout [Float], _ distances: [Double], _ firstOrder: [Int32], _ secondOrder: [Int32]) {
            let (d, byFirst, bySecond) = (distances.span, firstOrder.span, secondOrder.span)
            var M = least.mutableSpan
            for (i, u) in left.enumerated() {
                let row = u * n
                for (j, w) in right.enumerated() {
                    let column = w * n
                    let nearest = M[column + Int(bySecond[j * seconds])]
                    // More than any sum of distances.
                    var best = Float.greatestFiniteMagnitude
                    for a in 0..<firsts {
                        let m = Int(byFirst[i * firsts + a])
                        let start = M[row + m]
                        if start + nearest + closest >= best { break }
                        for b in 0..<seconds {
                            let k = Int(bySecond[j * seconds + b])
                            let both = start + M[column + k]
                            if both + closest >= best { break }
                            let value = Float(Double(both) + d[m * n + k])
                            if value < best { best = value }
                        }
                    }
                    M[row + w] = best
                    M[column + u] = best
                }
            }
        }
    }
}
