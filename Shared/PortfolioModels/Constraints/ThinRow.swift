import WireFormat

/// A row `a'w <= level` less a multiple of the budget: the same for every portfolio that keeps the budget, and without the large terms whose
/// difference leaves next to no room.
///
/// A least return close to the largest one says how little may be held of all others: `(m - mean)'w <= m - least` with m the largest mean,
/// where `mean'w >= least` has the digits of m alone.
struct ThinRow {
    let coefficients: [Double]
    let level: Double
    /// The multiple of the budget that was taken off; zero where the row is as it was.
    let share: Double
    /// The budget's constraint.
    let budget: Int

    /// Shares of the budget below which the room of a row counts as thin.
    private static let thin = 1e-2

    init(_ a: [Double], atMost level: Double, _ set: ConstraintSet) {
        let (least, most, total) = (a.min() ?? 0, a.max() ?? 0, set.budget.max)
        let rest = level - least * total
        if least != 0, most > least, total > 0, set.budget.min == total,
            abs(rest) <= Self.thin * (most - least) * total, set.lower.allSatisfy({ $0 >= 0 }),
            let place = set.constraints.firstIndex(where: { $0.name == "budget" })
        {
            coefficients = a.map { $0 - least }
            (self.level, share, budget) = (rest, least, place)
        } else {
            coefficients = a
            (self.level, share, budget) = (level, 0, 0)
        }
    }

    /// The most that each weight can be under the row alone; infinite where it says nothing, or where it is not thin.
    var reach: [Double] {
        coefficients.map { share != 0 && level > 0 && $0 > 0 ? level / $0 : .infinity }
    }

    /// Takes a price of the row, by constraint, from the budget's share in it.
    func charge(_ price: Double, to prices: inout [Double]) {
        if share != 0 { prices[budget] -= share * price }
    }
}
