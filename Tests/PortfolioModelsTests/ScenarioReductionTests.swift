import Testing
import WireFormat

@testable import PortfolioModels

/// Tail measures are solved on a part of the scenarios; an answer that took all of them is the same.
@Suite("Scenarios that matter")
struct ScenarioReductionTests {
    @Test(
        "the answer on the tail's scenarios is that on all",
        arguments: [RiskMeasureCode.cvar, .worstRealisation, .range, .cvarRange])
    func equal(measure: RiskMeasureCode) throws {
        for seed in [3, 4, 5] as [UInt64] {
            let panel = try randomPanel(assets: 9, observations: 420, seed: seed)
            for objective in [ObjectiveName.minimumRisk, .utility, .sharpe] {
                for isShort in [false, true] {
                    var request = plainRequest(panel, measure, objective)
                    if isShort {
                        request.constraints.lowerBound = .all(-0.2)
                        request.constraints.upperBound = .all(0.6)
                    }
                    let part = try PortfolioOptimization.run(request, panel: panel)
                    // A limit far away: with one, all scenarios are in the program.
                    var whole = request
                    whole.constraints.maxRisk = [.init(measure: .mad, level: 10)]
                    let all = try PortfolioOptimization.run(whole, panel: panel)
                    let size = max(abs(all.solution.objectiveValue), 1e-12)
                    let difference = abs(part.solution.objectiveValue - all.solution.objectiveValue)
                    #expect(difference <= 2e-9 * size, "\(measure) \(objective) \(seed) \(isShort)")
                    try Verification.check(request, panel: panel, result: part)
                    #expect(part.solution.dualityGap <= Verification.fullProof)
                }
            }
        }
    }

    @Test("a tail far from the mean-variance portfolio's is found: one asset falls in scenarios of its own")
    func surprise() throws {
        // Two assets of a little variance and a rare crash, at different times, and one that is dull and safe.
        var numbers = RepeatableNumbers(seed: 8)
        let columns = (0..<3).map { asset in
            (0..<400).map { t -> Double in
                let noise = [0.001, 0.0011, 0.004][asset] * numbers.normal()
                return asset < 2 && t % 80 == 10 * asset + 3 ? noise - 0.004 : noise + 0.0002
            }
        }
        let panel = try madePanel(columns)
        for measure in [RiskMeasureCode.cvar, .worstRealisation] {
            let request = plainRequest(panel, measure, .minimumRisk)
            let found = try PortfolioOptimization.run(request, panel: panel)
            try Verification.check(request, panel: panel, result: found)
            #expect(found.solution.dualityGap <= Verification.fullProof)
        }
    }
}

/// What a series works out once for all measures.
@Suite("Return series")
struct ReturnSeriesTests {
    @Test("the lowest values are those of a whole sort, whatever the order of the series")
    func lowest() {
        var numbers = RepeatableNumbers(seed: 5)
        let random = (0..<400).map { _ in numbers.normal() }
        let kinds = [
            random, random.sorted(), random.sorted(by: >), [Double](repeating: 1, count: 400),
            random.map { ($0 * 3).rounded() }, random.map { $0 > 0 ? .infinity : $0 }, random.map { _ in .infinity },
        ]
        for x in kinds {
            let sorted = x.sorted()
            for count in [0, 1, 2, 20, 49, 50, 51, 399, 400] {
                #expect(Array(ReturnSeries(x).lowest(count).prefix(count)) == Array(sorted.prefix(count)), "\(count)")
                let places = OrderStatistics.smallestPlaces(count, of: x)
                #expect(places.map { x[$0] }.sorted() == Array(sorted.prefix(count)), "\(count)")
                #expect(Set(places).count == count)
            }
        }
    }

    @Test("a measure of a shared series is that of a series of its own, in any order of asking")
    func shared() throws {
        var numbers = RepeatableNumbers(seed: 6)
        let x = (0..<250).map { _ in 0.01 * numbers.normal() }
        for order in [RiskMeasureCode.allCases, RiskMeasureCode.allCases.reversed()] {
            let series = ReturnSeries(x)
            for code in order {
                let measure = try #require(RiskMeasures.measure(code, RiskParameters(alpha: 0.07, levels: 40)))
                let (together, alone) = (measure.value(of: series), measure.value(of: x))
                #expect(abs(together - alone) <= 1e-15 * abs(alone), "\(code)")
            }
        }
    }
}
