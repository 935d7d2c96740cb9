/// The known name that a misspelt one was probably meant to be.
public enum NearestName {
    /// The nearest of the names by edit distance; nil where none is near (over a third of the length, or the text too long).
    public static func of(_ name: String, among known: [String]) -> String? {
        let lowered = Array(name.lowercased().utf8)
        guard !lowered.isEmpty, lowered.count <= 64 else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in known {
            let distance = editDistance(lowered, Array(candidate.lowercased().utf8))
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        guard let best, best.distance <= max(1, lowered.count / 3) else { return nil }
        return best.name
    }

    /// Optimal string alignment: Levenshtein's distance in which two neighbours that changed places count once, in three rows.
    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var before: [Int] = []
        var above = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for (j, y) in b.enumerated() {
                var distance = min(above[j] + (x == y ? 0 : 1), above[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, x == b[j - 1], y == a[i - 1] { distance = min(distance, before[j - 1] + 1) }
                row.append(distance)
            }
            before = above
            above = row
        }
        return above[b.count]
    }
}
