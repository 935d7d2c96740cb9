import WireFormat

/// The tax of the year in binary figures, as the change that realising dS and dL makes.
struct TaxFunction {
    var mode: TaxSettings.Mode
    var rateShort: Double
    var rateLong: Double
    var rateOrdinary: Double
    var cap: Double
    /// Sides after their carries, before the trades.
    var netShort: Double
    var netLong: Double
    var carryValueShort: Double
    var carryValueLong: Double
    private var base = 0.0

    init(_ tax: TaxSettings) {
        mode = tax.mode
        rateShort = tax.rates.short.double
        rateLong = tax.rates.long.double
        rateOrdinary = tax.rates.ordinary.double
        cap = tax.rates.ordinaryCap.double
        netShort = (tax.realisedShort - tax.carryShort).double
        netLong = (tax.realisedLong - tax.carryLong).double
        carryValueShort = tax.carryValueShort.double
        carryValueLong = tax.carryValueLong.double
        if mode == .nettedYear { base = absolute(netShort, netLong).price }
    }

    /// Tax, and tax less the value of what is carried out.
    private func absolute(_ s: Double, _ l: Double) -> (tax: Double, price: Double) {
        let n = s + l
        if n >= 0 {
            let tax = s >= 0 ? (l >= 0 ? rateShort * s + rateLong * l : rateShort * n) : rateLong * n
            return (tax, tax)
        }
        let deduction = min(cap, -n)
        let tax = -rateOrdinary * deduction
        guard carryValueShort != 0 || carryValueLong != 0 else { return (tax, tax) }
        let lostShort = s < 0 ? (l > 0 ? -n : -s) : 0
        let lostLong = l < 0 ? (s > 0 ? -n : -l) : 0
        let fromShort = min(lostShort, deduction)
        return (
            tax, tax - carryValueShort * (lostShort - fromShort) - carryValueLong * (lostLong - (deduction - fromShort))
        )
    }

    /// What realising so much adds: tax less the value of the change of carries.
    func price(_ dS: Double, _ dL: Double) -> Double {
        switch mode {
        case .none: 0
        case .lotRates: rateShort * dS + rateLong * dL
        case .nettedYear: absolute(netShort + dS, netLong + dL).price - base
        }
    }

    /// The tax alone.
    func tax(_ dS: Double, _ dL: Double) -> Double {
        mode == .nettedYear
            ? absolute(netShort + dS, netLong + dL).tax - absolute(netShort, netLong).tax : price(dS, dL)
    }

    /// The rates at the margin, by side.
    func marginal(_ dS: Double, _ dL: Double) -> (short: Double, long: Double) {
        guard mode == .nettedYear else { return mode == .none ? (0, 0) : (rateShort, rateLong) }
        let (s, l) = (netShort + dS, netLong + dL)
        if s + l < 0 {
            return s + l >= -cap
                ? (rateOrdinary, rateOrdinary)
                : (s < 0 ? carryValueShort : carryValueLong, l < 0 ? carryValueLong : carryValueShort)
        }
        return s >= 0 ? (l >= 0 ? (rateShort, rateLong) : (rateShort, rateShort)) : (rateLong, rateLong)
    }

    /// The regions of (dS, dL) on which the price is linear, or bounded below by something linear, that lie within a rectangle.
    /// The function is not convex; on each of these cells it is.
    func cells(short: ClosedRange<Double>, long: ClosedRange<Double>) -> [TaxCell] {
        guard mode == .nettedYear else {
            let (a, b) = marginal(0, 0)
            return [TaxCell(short: a, long: b, constant: 0, rows: [])]
        }
        let n = netShort + netLong
        let shortUp = TaxCell.Row(short: -1, long: 0, limit: netShort)
        let shortDown = TaxCell.Row(short: 1, long: 0, limit: -netShort)
        let longUp = TaxCell.Row(short: 0, long: -1, limit: netLong)
        let longDown = TaxCell.Row(short: 0, long: 1, limit: -netLong)
        let netUp = TaxCell.Row(short: -1, long: -1, limit: n)
        let netDown = TaxCell.Row(short: 1, long: 1, limit: -n)
        let deepUp = TaxCell.Row(short: -1, long: -1, limit: n + cap)
        let deepDown = TaxCell.Row(short: 1, long: 1, limit: -n - cap)
        let carry = max(carryValueShort, carryValueLong)
        let all = [
            TaxCell(
                short: rateShort, long: rateLong, constant: rateShort * netShort + rateLong * netLong - base,
                rows: [shortUp, longUp]),
            TaxCell(
                short: rateShort, long: rateShort, constant: rateShort * n - base, rows: [shortUp, longDown, netUp]),
            TaxCell(short: rateLong, long: rateLong, constant: rateLong * n - base, rows: [shortDown, longUp, netUp]),
            TaxCell(
                short: rateOrdinary, long: rateOrdinary, constant: rateOrdinary * n - base, rows: [netDown, deepUp]),
            TaxCell(
                short: carry, long: carry, constant: -rateOrdinary * cap + carry * (n + cap) - base, rows: [deepDown]),
        ]
        return all.filter { cell in cell.rows.allSatisfy { $0.least(short, long) <= $0.limit } }
            .map { cell in
                // A row that holds on the whole rectangle needs no multiplier.
                var cell = cell
                cell.rows.removeAll { $0.most(short, long) <= $0.limit }
                return cell
            }
    }
}

/// A region of realised results with a linear tax.
struct TaxCell {
    struct Row {
        var short: Double
        var long: Double
        var limit: Double

        func least(_ s: ClosedRange<Double>, _ l: ClosedRange<Double>) -> Double {
            min(short * s.lowerBound, short * s.upperBound) + min(long * l.lowerBound, long * l.upperBound)
        }
        func most(_ s: ClosedRange<Double>, _ l: ClosedRange<Double>) -> Double {
            max(short * s.lowerBound, short * s.upperBound) + max(long * l.lowerBound, long * l.upperBound)
        }
    }
    var short: Double
    var long: Double
    var constant: Double
    var rows: [Row]
}
