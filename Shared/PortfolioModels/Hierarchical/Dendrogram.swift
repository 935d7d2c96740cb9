/// A binary tree of merges over n leaves, in the layout of SciPy's linkage matrix.
///
/// Leaves are numbered 0 to n - 1; merge i makes node n + i. Heights ascend from merge to merge, except for centroid and median
/// linkage, whose heights may fall.
public struct Dendrogram: Sendable, Equatable {
    /// One row of the linkage matrix.
    public struct Merge: Sendable, Equatable {
        /// The nodes that are joined.
        public var left: Int
        public var right: Int
        public var height: Double
        /// Leaves below.
        public var size: Int

        public init(left: Int, right: Int, height: Double, size: Int) {
            self.left = left
            self.right = right
            self.height = height
            self.size = size
        }
    }

    /// n - 1 merges; children come before parents.
    public internal(set) var merges: [Merge]

    /// A tree of the given merges.
    init(merges: [Merge]) { self.merges = merges }

    /// n.
    public var leaves: Int { merges.count + 1 }

    /// The node that holds all leaves.
    var root: Int { 2 * leaves - 2 }

    /// The children of a node; nil for a leaf.
    func children(_ node: Int) -> (left: Int, right: Int)? {
        node < leaves ? nil : (merges[node - leaves].left, merges[node - leaves].right)
    }

    /// The leaves of a node, from left to right.
    public func members(of node: Int) -> [Int] {
        var found: [Int] = []
        var open = [node]
        while let next = open.popLast() {
            if let (left, right) = children(next) {
                open.append(right)
                open.append(left)
            } else {
                found.append(next)
            }
        }
        return found
    }

    /// All leaves, from left to right: the order of quasi-diagonalisation.
    public var leafOrder: [Int] { members(of: root) }

    /// Whether no merge is lower than one below it.
    var isMonotone: Bool { zip(merges, merges.dropFirst()).allSatisfy { $0.height <= $1.height } }

    /// Merges from the one to undo first: by the greatest height at or below them, then from the root down, right before left.
    ///
    /// For heights that ascend this is the order in which SciPy's `cut_tree` splits, ties included. Heights that fall count as
    /// those of what lies below, so that a parent is always undone before its children.
    func highestFirst() -> [Int] {
        let n = leaves
        var height = [Double](repeating: 0, count: merges.count)
        for (index, merge) in merges.enumerated() {
            height[index] = merge.height
            for child in [merge.left, merge.right] where child >= n {
                height[index] = max(height[index], height[child - n])
            }
        }
        var rank = [Int](repeating: 0, count: merges.count)
        var queue = merges.isEmpty ? [] : [root - n]
        var next = 0
        while next < queue.count {
            let index = queue[next]
            rank[index] = next
            next += 1
            for child in [merges[index].right, merges[index].left] where child >= n { queue.append(child - n) }
        }
        return merges.indices.sorted { height[$0] != height[$1] ? height[$0] > height[$1] : rank[$0] < rank[$1] }
    }

    /// Flat clusters: exactly k of them, by undoing the k - 1 highest merges.
    ///
    /// - Parameter k: from 1 to n.
    /// - Returns: the cluster of each leaf, numbered from zero by least member.
    public func clusters(_ k: Int) -> [Int] {
        let undone = Set(highestFirst().prefix(k - 1).map { $0 + leaves })
        var label = [Int](repeating: 0, count: leaves)
        var tops = undone.isEmpty ? [root] : []
        for node in undone {
            guard let (left, right) = children(node) else { continue }
            for child in [left, right] where !undone.contains(child) { tops.append(child) }
        }
        for (index, top) in tops.enumerated() { for leaf in members(of: top) { label[leaf] = index } }
        return Self.renumbered(label)
    }

    /// Clusters numbered from zero by their least member.
    static func renumbered(_ labels: [Int]) -> [Int] {
        var numbers: [Int: Int] = [:]
        return labels.map { label in
            if let known = numbers[label] { return known }
            numbers[label] = numbers.count
            return numbers.count - 1
        }
    }

    /// The members of each cluster, ascending.
    public static func groups(_ labels: [Int]) -> [[Int]] {
        var groups = [[Int]](repeating: [], count: (labels.max() ?? -1) + 1)
        for (leaf, label) in labels.enumerated() { groups[label].append(leaf) }
        return groups
    }
}
