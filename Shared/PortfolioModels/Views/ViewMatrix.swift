import LinearAlgebra
import WireFormat

/// Views of means as rows over columns: `P x = Q` for expected returns x in excess of the risk-free rate.
///
/// A group stands for the mean of its members, as a portfolio of equal weights.
struct ViewMatrix {
    /// K x N.
    private(set) var rows: Matrix
    /// K levels per period.
    private(set) var levels: [Double] = []
    /// K: Idzorek's confidence, from zero to one; nil where none is given.
    private(set) var confidences: [Double?] = []

    /// - Parameters:
    ///   - columns: names of the columns: assets, or assets and factors.
    ///   - groups: names that stand for several columns.
    /// - Throws: `REQ-104` for a name that is no column, a view of another statistic, or one that is no equality.
    init(
        _ views: [ViewsRequest.View], columns: [String], groups: [ConstraintRequest.Group]
    ) throws(Problem) {
        var given: [[Double]] = []
        for (index, view) in views.enumerated() {
            let place = JSONPointer(["views", "items"]).appending(index)
            guard view.statistic == .mean, view.sense == .equal else {
                throw Problem(place, .contradiction, "Only a view of a mean that equals a level fits this model.")
            }
            // No confidence at all is no view.
            if view.confidence == 0 { continue }
            given.append(try Self.row(view.weights, columns: columns, groups: groups, place: place))
            levels.append(view.level)
            confidences.append(view.confidence)
        }
        rows = given.isEmpty ? Matrix(rows: 0, columns: columns.count) : Matrix(given)
    }

    /// K.
    var count: Int { levels.count }

    /// The coefficients of a view by column.
    static func row(
        _ weights: [ConstraintRequest.AssetValue], columns: [String], groups: [ConstraintRequest.Group],
        place: JSONPointer
    ) throws(Problem) -> [Double] {
        var row = [Double](repeating: 0, count: columns.count)
        for term in weights {
            if let column = columns.firstIndex(of: term.asset) {
                row[column] += term.value
                continue
            }
            let members = groups.first { $0.name == term.asset }?.assets ?? []
            let places = members.compactMap { columns.firstIndex(of: $0) }
            guard !places.isEmpty else {
                throw Problem(
                    place, .unknownValue,
                    "\"\(Problem.echo(term.asset))\" is neither an asset nor a group nor a factor of this request.")
            }
            for column in places { row[column] += term.value / Double(places.count) }
        }
        return row
    }
}
