import LinearAlgebra
public import WireFormat

/// What each asset owes to each factor: `r_i = a_i + sum_k B_ik f_k + e_i`, one regression an asset.
struct FactorLoadings {
    /// N: a.
    let constants: [Double]
    /// N x K: B; zero where a factor was not chosen.
    let matrix: Matrix
    /// T x N: what the factors leave unexplained.
    let residuals: Matrix

    /// Estimates or takes over the loadings of a request.
    ///
    /// Given loadings leave the constant free: it is the mean that they do not explain.
    /// - Parameters:
    ///   - panel: T x N returns of the assets.
    ///   - factors: T x K returns of the factors on the same dates.
    /// - Throws: `DAT-002` or `OPT-202` where a regression is not determined.
    init(_ request: FactorRequest, panel: ReturnPanel, factors: ReturnPanel) throws(Problem) {
        let (n, k) = (panel.assets.count, factors.assets.count)
        var constants = [Double](repeating: 0, count: n)
        var matrix = Matrix(rows: n, columns: k)
        for asset in 0..<n {
            let series = panel.column(asset)
            if request.loadings.isEmpty {
                let fit = try Self.regress(series, request, factors, asset: panel.assets[asset])
                constants[asset] = fit.constant
                for (column, value) in fit.coefficients { matrix[asset, column] = value }
                continue
            }
            let own = request.loadings.first { $0.asset == panel.assets[asset] }?.factors ?? []
            for term in own {
                if let column = factors.assets.firstIndex(of: term.asset) { matrix[asset, column] += term.value }
            }
            guard request.hasConstant else { continue }
            let explained = factors.returns.multiplied(by: matrix.row(asset))
            constants[asset] = SeriesMath.mean(zip(series, explained).map { $0 - $1 })
        }
        var residuals = panel.returns
        residuals.gemm(factors.returns, matrix, transposeSecond: true, scale: -1, beta: 1)
        for asset in 0..<n {
            let start = asset * panel.observations
            for t in start..<(start + panel.observations) { residuals.storage[t] -= constants[asset] }
        }
        self.constants = constants
        self.matrix = matrix
        self.residuals = residuals
    }

    private static func regress(
        _ series: [Double], _ request: FactorRequest, _ factors: ReturnPanel, asset: String
    ) throws(Problem) -> (constant: Double, coefficients: [(Int, Double)]) {
        switch request.selection {
        case .principalComponents:
            let fit = try PrincipalComponentRegression(
                series, factors: factors.returns, components: request.components)
            return (fit.constant, Array(fit.coefficients.enumerated()).map { ($0.offset, $0.element) })
        case .stepwise, .none:
            let steps = StepwiseSelection(
                series: series, factors: factors.returns, criterion: request.criterion,
                threshold: request.threshold, hasConstant: request.hasConstant)
            let chosen =
                request.selection == .none
                ? Array(factors.assets.indices) : steps.selected(request.direction)
            guard let fit = steps.regression(chosen) else {
                let detail =
                    "The regression of \(Problem.echo(asset)) on \(chosen.count) factors is not determined by \(factors.observations) returns: too few, or factors that depend on each other."
                throw Problem(
                    .tooLittleHistory, detail, errors: [Violation(JSONPointer(["factors"]), .other("singular"), detail)]
                )
            }
            return (fit.constant, Array(zip(chosen, fit.coefficients)))
        }
    }
}

extension OptimizeRequest {
    /// The request with the figures of its stored factors, as if they had come with it; itself where it names none.
    /// - Parameter factors: returns of `factors.symbols`, in their order, on the dates of the assets' panel.
    public func with(factors: ReturnPanel?) -> OptimizeRequest {
        guard let factors, let wanted = self.factors, !wanted.symbols.isEmpty else { return self }
        var request = self
        request.factors?.symbols = []
        request.factors?.panel = InlinePanel(
            kind: .returns, dates: factors.dates, assets: factors.assets,
            values: factors.assets.indices.map { factors.column($0) })
        return request
    }
}

/// The returns of a request's factors on the dates of the assets' panel.
enum FactorPanel {
    /// - Parameter loaded: returns of stored factors, where the request names symbols.
    /// - Throws: `DAT-003` where a factor lacks a figure on one of the dates.
    static func aligned(
        _ request: FactorRequest, to panel: ReturnPanel, loaded: ReturnPanel?
    ) throws(Problem) -> ReturnPanel {
        guard let inline = request.panel else {
            guard let loaded, loaded.dates == panel.dates, loaded.assets == request.names else {
                throw Problem(
                    JSONPointer(["factors"]), .missing,
                    "The factors' returns are not there: give them as factors.returns or factors.prices.")
            }
            return loaded
        }
        var columns: [Double] = []
        let places = Dictionary(zip(inline.dates, inline.dates.indices), uniquingKeysWith: { first, _ in first })
        for (name, values) in zip(inline.assets, inline.values) {
            for date in panel.dates {
                guard let place = places[date], place < values.count, let value = values[place]
                else { throw gap(name, date) }
                guard inline.kind == .prices else {
                    columns.append(value)
                    continue
                }
                // From the assets' previous date; before their first one, from the factor's own.
                let former: CalendarDate? =
                    panel.dates.firstIndex(of: date).flatMap { $0 > 0 ? panel.dates[$0 - 1] : nil }
                    ?? inline.dates.last { $0 < date }
                guard let former, let start = inline.dates.firstIndex(of: former), let base = values[start], base > 0
                else { throw gap(name, former ?? date) }
                columns.append(value / base - 1)
            }
        }
        return try ReturnPanel(
            assets: inline.assets, dates: panel.dates,
            returns: Matrix(rows: panel.observations, columns: inline.assets.count, columnMajor: columns))
    }

    private static func gap(_ name: String, _ date: CalendarDate) -> Problem {
        let detail = "The factor \(Problem.echo(name)) has no figure on \(date), where the assets have returns."
        return Problem(.emptyWindow, detail, errors: [Violation(JSONPointer(["factors"]), .missing, detail)])
    }
}
