import LinearAlgebra
import WireFormat

/// A limit of the share of the variance that an asset or a group bears: `sum over members of w_i (C w)_i <= level w'C w`, or at least.
///
/// With A the symmetric part of the members' rows of C the limit is `w'Q w <= 0`, Q = A - level C (or its negative), which the spectral
/// decomposition of Q splits into two norms: `|P w| <= |N w|`. Where N has one row whose sign is known the limit is a second-order cone,
/// hence convex: the least share of an asset in a long-only portfolio. Else the right norm, linearised at a portfolio, makes a cone inside
/// the limit that touches it there (`cone(at:)`).
///
/// Source: A. Yuille, A. Rangarajan (2003), The concave-convex procedure, Neural Computation 15.
struct RiskShareLimit {
    let name: String
    let pointer: JSONPointer
    /// A share of the variance.
    let level: Double
    let isUpper: Bool
    private let covariance: Matrix
    private let members: [Int]
    private let positive: Matrix
    private let negative: Matrix

    /// The limits of a request.
    /// - Parameter margin: by how much they are tighter.
    /// - Throws: `OPT-202` where the covariance has no decomposition.
    static func all(
        _ request: OptimizeRequest, covariance: Matrix, margin: Double = 0
    ) throws(Problem) -> [RiskShareLimit] {
        let wanted = request.constraints
        var result: [RiskShareLimit] = []
        for limit in wanted.riskContribution {
            let isAsset = request.assets.contains(limit.name)
            let names = isAsset ? [limit.name] : wanted.members(of: limit.name, among: request.assets)
            let members = request.assets.indices.filter { names.contains(request.assets[$0]) }
            for (side, level) in [("min", limit.min), ("max", limit.max)] {
                guard let level else { continue }
                result.append(
                    try RiskShareLimit(
                        name: limit.name, side: side, level: side == "max" ? level - margin : level + margin,
                        covariance: covariance, members: members))
            }
        }
        return result
    }

    private init(
        name: String, side: String, level: Double, covariance: Matrix, members: [Int]
    ) throws(Problem) {
        self.name = "risk_contribution.\(name).\(side)"
        pointer = JSONPointer(["constraints", "risk_contribution", name, side])
        self.level = level
        self.covariance = covariance
        self.members = members
        isUpper = side == "max"
        let n = covariance.rows
        let sign = isUpper ? 1.0 : -1.0
        var form = Matrix(rows: n, columns: n)
        let isMember = (0..<n).map { members.contains($0) ? 0.5 : 0 }
        for j in 0..<n {
            for i in 0..<n { form[i, j] = sign * (isMember[i] + isMember[j] - level) * covariance[i, j] }
        }
        let spectrum: SymmetricEigen
        do { spectrum = try SymmetricEigen(form) } catch {
            throw Problem(.unstable, "The shares of the variance cannot be told from this covariance.")
        }
        positive = spectrum.root(ofSign: .plus)
        negative = spectrum.root(ofSign: .minus)
    }

    /// The share at the weights; nil where they have no variance.
    func share(at w: [Double]) -> Double? {
        let image = covariance.symmetricMultiplied(by: w)
        let variance = Vector.dot(image, w)
        guard variance > 0 else { return nil }
        return members.reduce(0) { $0 + w[$1] * image[$1] } / variance
    }

    /// How far the share is beyond the level.
    func distance(at w: [Double]) -> Double {
        share(at: w).map { max(isUpper ? $0 - level : level - $0, 0) } ?? 0
    }

    /// Whether the weights keep the limit up to rounding.
    func holds(at w: [Double]) -> Bool { distance(at: w) <= 1e-9 }

    /// The limit itself where it is a cone for weights of at least `lower`.
    func cone(within lower: [Double], near w: [Double]) -> NamedConstraint? {
        guard negative.rows == 1, lower.allSatisfy({ $0 >= 0 }) else { return nil }
        let row = negative.row(0)
        let size = row.reduce(0) { max($0, abs($1)) }
        let isPositive = row.allSatisfy { $0 >= -1e-12 * size }
        guard isPositive || row.allSatisfy({ $0 <= 1e-12 * size }) else { return nil }
        return constraint(slope: row.map { isPositive ? $0 : -$0 }, at: w)
    }

    /// A cone inside the limit that touches it at the weights; nil where no portfolio near them can keep it.
    func cone(at w: [Double]) -> NamedConstraint? {
        let image = negative.multiplied(by: w)
        let length = Vector.dot(image, image).squareRoot()
        guard length > 0 else { return nil }
        return constraint(slope: negative.transposedMultiplied(by: image.map { $0 / length }), at: w)
    }

    /// `|P w| <= slope'w`, in units of the portfolio's deviation.
    private func constraint(slope: [Double], at w: [Double]) -> NamedConstraint? {
        let variance = Vector.dot(covariance.symmetricMultiplied(by: w), w)
        let reach = Vector.dot(slope, w)
        guard variance > 0, reach != 0 else { return nil }
        let deviation = variance.squareRoot()
        var norm = positive
        for i in norm.storage.indices { norm.storage[i] /= deviation }
        let rows = norm
        let direction = slope.map { $0 / deviation }
        let limit = ConvexLimit(
            function: .cone(norm: rows, slope: direction), most: 0,
            // w'Qw falls by the variance for each unit of the level, and is the difference of the norms times their sum.
            perLevel: (isUpper ? 1 : -1) * deviation / (2 * abs(reach))
        ) { weights in
            let image = rows.multiplied(by: weights)
            return Vector.dot(image, image).squareRoot() - Vector.dot(direction, weights)
        }
        return NamedConstraint(name: name, pointer: pointer, kind: .convex(limit), level: level, isStructural: false)
    }
}
