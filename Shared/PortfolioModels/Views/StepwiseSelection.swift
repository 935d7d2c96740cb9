import LinearAlgebra
import WireFormat

/// Chooses the factors that explain a series, one step at a time.
///
/// Forward, by p-value: adds the factor of the smallest p-value while all p-values stay within the threshold; where none
/// qualifies, the best single factor is taken. Forward, by AIC, SIC, R2 or R2_A: adds the factor that improves the figure most
/// until none improves it. Backward starts from all factors and drops: by p-value the worst while it is above the threshold,
/// else the one without which the figure is best while that improves it. Of equals the earlier factor wins.
///
/// Source: N. R. Draper, H. Smith (1998), Applied Regression Analysis, chapter 15; the rules of ties, of the last factor and of
/// termination are Riskfolio-Lib's.
struct StepwiseSelection {
    let series: [Double]
    /// T x K.
    let factors: Matrix
    let criterion: FactorRequest.Criterion
    let threshold: Double
    let hasConstant: Bool

    /// Columns of `factors`, in the order in which they entered or stayed.
    func selected(_ direction: FactorRequest.Direction) -> [Int] {
        switch (direction, criterion) {
        case (.forward, .pvalue): forwardByPValue()
        case (.forward, _): forward()
        case (.backward, .pvalue): backwardByPValue()
        case (.backward, _): backward()
        }
    }

    /// The regression on some of the factors; nil where it is not defined.
    func regression(_ chosen: [Int]) -> OrdinaryLeastSquares? {
        OrdinaryLeastSquares(series, on: factors.selecting(columns: chosen), hasConstant: hasConstant)
    }

    private var all: [Int] { Array(0..<factors.columns) }

    /// Larger is better, whatever the criterion.
    private func merit(_ fit: OrdinaryLeastSquares) -> Double {
        switch criterion {
        case .pvalue: -(fit.pValues.max() ?? 0)
        case .akaike: -fit.akaike
        case .schwarz: -fit.schwarz
        case .determination: fit.determination
        case .adjustedDetermination: fit.adjustedDetermination
        }
    }

    private func forwardByPValue() -> [Int] {
        var included: [Int] = []
        while included.count < all.count {
            var best: (column: Int, value: Double)?
            for column in all where !included.contains(column) {
                guard let fit = regression(included + [column]), let own = fit.pValues.last,
                    (fit.pValues.max() ?? 1) <= threshold
                else { continue }
                if own < best?.value ?? .infinity { best = (column, own) }
            }
            guard let best else { break }
            included.append(best.column)
        }
        return included.isEmpty ? bestSingle() : included
    }

    private func forward() -> [Int] {
        var included: [Int] = []
        var reached = -Double.infinity
        while included.count < all.count {
            var best: (column: Int, value: Double)?
            for column in all where !included.contains(column) {
                guard let fit = regression(included + [column]) else { continue }
                if merit(fit) > best?.value ?? -.infinity { best = (column, merit(fit)) }
            }
            guard let best, best.value > reached else { break }
            included.append(best.column)
            reached = best.value
        }
        return included
    }

    private func backwardByPValue() -> [Int] {
        var included = all
        while let fit = regression(included), let worst = fit.pValues.max(), worst > threshold,
            let place = fit.pValues.firstIndex(of: worst)
        {
            included.remove(at: place)
            if included.isEmpty { return bestSingle() }
        }
        return included
    }

    private func backward() -> [Int] {
        var included = all
        guard let start = regression(included) else { return included }
        var reached = merit(start)
        while !included.isEmpty {
            var best: (place: Int, value: Double)?
            for place in included.indices {
                var rest = included
                rest.remove(at: place)
                guard let fit = regression(rest) else { continue }
                if merit(fit) > best?.value ?? -.infinity { best = (place, merit(fit)) }
            }
            guard let best, best.value > reached else { break }
            included.remove(at: best.place)
            reached = best.value
        }
        return included
    }

    private func bestSingle() -> [Int] {
        var best: (column: Int, value: Double)?
        for column in all {
            guard let value = regression([column])?.pValues.first else { continue }
            if value < best?.value ?? .infinity { best = (column, value) }
        }
        return best.map { [$0.column] } ?? []
    }
}
