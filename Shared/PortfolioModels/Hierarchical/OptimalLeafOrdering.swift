import LinearAlgebra

/// Turns the branches of a tree so that neighbouring leaves are close.
///
/// M[u, w] is the least sum of distances of neighbours of a node's order that begins at u and ends at w, built upwards from the
/// children's:
/// ```
/// M[u, w] = min_{m, k} M[u, m] + d(m, k) + M[k, w],   u, m in the left child on different sides, k, w in the right one
/// ```
/// in two steps of O(n^3) together, T[u, k] = min_m M[u, m] + d(m, k) and then min_k T[u, k] + M[k, w]. The children of each
/// node are turned as that node's own best pair (u, w) wants them. So does SciPy's `optimal_leaf_ordering`, on which Riskfolio-Lib
/// and skfolio rest: from five leaves on the result need not be the shortest of all orders, for which turns would have to be
/// traced back from the root. M is in single precision, rounded as SciPy rounds it, so that near ties fall alike.
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
        }

        /// Whether each node is turned, seen from its parent.
        mutating func turns() -> [Bool] {
            var turns = [Bool](repeating: false, count: tree.merges.count)
            for merge in tree.merges {
                let left = sides(merge.left, outerFirst: true)
                let right = sides(merge.right, outerFirst: false)
                var best = (value: Float.infinity, u: -1, w: -1)
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
            let block = Block(n: n, u: left.outer, m: left.inner, k: right.inner, w: right.outer)
            block.fill(&least, d)
        }
    }

    /// M of one pair of sides: orders u ... m | k ... w.
    private struct Block {
        let n: Int
        let u: Range<Int>
        let m: Range<Int>
        let k: Range<Int>
        let w: Range<Int>

        /// Two roundings to single precision of sums that differ by less than this share may fall either way.
        private static let rounding = 2.5e-7

        func fill(_ least: inout [Float], _ distances: [Double]) {
            var reach = [Double](repeating: 0, count: k.count)
            for first in u {
                joinInner(first, least, distances, &reach)
                for last in w {
                    let value = best(first, last, least, distances, reach)
                    least[first * n + last] = value
                    least[last * n + first] = value
                }
            }
        }

        /// T[u, k] for one u.
        private func joinInner(_ first: Int, _ least: [Float], _ distances: [Double], _ reach: inout [Double]) {
            let (M, d) = (least.span, distances.span)
            var T = reach.mutableSpan
            let (count, low) = (k.count, k.lowerBound)
            for i in 0..<count { T[i] = .infinity }
            for middle in m {
                let start = Double(M[first * n + middle])
                let row = middle * n + low
                for i in 0..<count {
                    let value = start + d[row + i]
                    T[i] = value < T[i] ? value : T[i]
                }
            }
        }

        /// M[u, w] as SciPy rounds it: the least rounded sum among those that rounding may have made the least.
        private func best(
            _ first: Int, _ last: Int, _ least: [Float], _ distances: [Double], _ reach: [Double]
        ) -> Float {
            let (M, d, T) = (least.span, distances.span, reach.span)
            let (count, low) = (k.count, k.lowerBound)
            let row = last * n + low
            // Four at a time: one minimum alone waits for the comparison before it.
            var (a, b, c, e) = (Double.infinity, Double.infinity, Double.infinity, Double.infinity)
            let whole = count / 4 * 4
            for i in stride(from: 0, to: whole, by: 4) {
                let (v0, v1) = (T[i] + Double(M[row + i]), T[i + 1] + Double(M[row + i + 1]))
                let (v2, v3) = (T[i + 2] + Double(M[row + i + 2]), T[i + 3] + Double(M[row + i + 3]))
                a = v0 < a ? v0 : a
                b = v1 < b ? v1 : b
                c = v2 < c ? v2 : c
                e = v3 < e ? v3 : e
            }
            for i in whole..<count {
                let value = T[i] + Double(M[row + i])
                a = value < a ? value : a
            }
            let exact = min(min(a, b), min(c, e))
            let limit = exact + Self.rounding * exact
            var rounded = Float.greatestFiniteMagnitude
            for i in 0..<count {
                let end = M[row + i]
                guard T[i] + Double(end) <= limit else { continue }
                for middle in m {
                    let start = M[first * n + middle]
                    let step = d[middle * n + low + i]
                    guard Double(start) + step + Double(end) <= limit else { continue }
                    let value = Float(Double(start + end) + step)
                    rounded = value < rounded ? value : rounded
                }
            }
            return rounded
        }
    }
}
