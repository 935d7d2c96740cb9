import Reallocation
import Testing
import WireFormat

@Suite("Weight drift")
struct WeightDriftTests {
    @Test("measures what has moved, cash included")
    func measures() {
        let drift = WeightDrift(
            values: ["A": 45, "B": 35, "CASH": 20],
            target: ["A": dec("0.40"), "B": dec("0.40"), "C": dec("0.10"), "CASH": dec("0.10")])
        #expect(drift.halfL1 == dec("0.15"))
        #expect(drift.largest == WeightDrift.Extreme(asset: "C", value: dec("0.1")))
        #expect(drift.largestRelative?.value == 1)
        #expect(drift.weight(of: "B").deviation == dec("-0.05"))
    }

    @Test("is zero at the target, and has no relative measure without a target")
    func edges() {
        let drift = WeightDrift(values: ["A": 3, "B": 7], target: ["A": dec("0.3"), "B": dec("0.7")])
        #expect(drift.halfL1 == 0)
        #expect(WeightDrift(values: ["A": 3], target: [:]).largestRelative == nil)
        #expect(WeightDrift(values: [:], target: [:]).halfL1 == 0)
        #expect(WeightDrift(values: ["A": 0], target: ["A": 1]).weight(of: "A").held == 0)
    }

    @Test("fires strictly above a threshold, also where the weight has no end")
    func firesStrictly() {
        // Weights of thirds: 1/3 rounded is below 1/3, so a comparison of rounded weights would be wrong at one end or the other.
        let drift = WeightDrift(values: ["A": 1, "B": 2], target: ["A": dec("0.3"), "B": dec("0.7")])
        #expect(drift.exceeds(halfL1: dec("0.033333333333333333")))
        #expect(!drift.exceeds(halfL1: dec("0.033333333333333334")))
        let exact = WeightDrift(values: ["A": dec("0.1") + dec("0.2"), "B": dec("0.7")], target: ["A": 0, "B": 1])
        #expect(!exact.exceeds(halfL1: dec("0.3")))
        #expect(!exact.exceeds(largest: dec("0.3")))
        #expect(!exact.exceeds(largestRelative: dec("0.3")))
        #expect(exact.exceeds(halfL1: dec("0.299999999999999999")))
        #expect(exact.exceeds(largestRelative: dec("0.29")))
    }

    @Test("rules report themselves, a cooldown silences all but a changed target")
    func triggers() {
        var trigger = RebalanceTrigger()
        trigger.thresholds.halfL1 = dec("0.1")
        trigger.thresholds.trackingError = 0.02
        trigger.thresholds.calendarDays = 90
        trigger.thresholds.cashFlow = dec("0.02")
        let drift = WeightDrift(values: ["A": 45, "CASH": 55], target: ["A": dec("0.5"), "CASH": dec("0.5")])
        func fired(_ days: Int?, changed: Bool = false, error: Double? = 0.03) -> [String] {
            trigger.evaluate(drift, trackingError: error, cash: "CASH", daysSinceLast: days, isTargetChanged: changed)
                .filter { $0.fired }.map { $0.rule.rawValue }
        }
        #expect(fired(10) == ["tracking_error", "cash_flow"])
        #expect(fired(90, error: nil) == ["calendar", "cash_flow"])
        trigger.thresholds.cooldownDays = 30
        #expect(fired(10, changed: true) == ["target_changed"])
        #expect(fired(30) == ["tracking_error", "cash_flow"])
    }

    @Test("the no-trade region has the known half width")
    func noTradeRegion() throws {
        // pi = 0.6, sigma = 0.2, gamma = 5, eps = 0.01 relative bid-ask width, c = eps/2.
        let nu2 = 0.36 * 0.16 * 0.04
        let width = try #require(
            NoTradeRegion.halfWidth(cost: 0.005, deviationVariance: nu2, riskAversion: 5, variance: 0.04))
        #expect((width * width * width - 3 / 20.0 * 0.36 * 0.16 * 0.01).magnitude < 1e-15)
        #expect(NoTradeRegion.halfWidth(cost: 0.01, deviationVariance: 1, riskAversion: 0, variance: 1) == nil)
        #expect(NoTradeRegion.halfWidth(cost: 0, deviationVariance: 1, riskAversion: 1, variance: 1) == 0)
    }

    @Test("scenario D1", .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenario() throws {
        let scenario = try Scenarios.load("D1")
        let inputs = try #require(scenario["inputs"])
        let expected = try #require(scenario["expected"])
        var values = ["CASH": try inputs.decimal("cash")]
        for (asset, price) in try inputs.members("prices") {
            values[asset] = try price.decimal() * (try #require(inputs["shares"]).decimal(asset))
        }
        var target: [String: FixedDecimal] = [:]
        for (asset, weight) in try inputs.members("target_weights") { target[asset] = try weight.decimal() }
        let drift = WeightDrift(values: values, target: target)
        #expect(drift.total == (try expected.decimal("portfolio_value")))
        for (asset, weight) in try expected.members("weights") {
            #expect(drift.weight(of: asset).held.rounded(places: 10) == (try weight.decimal()))
            #expect(
                drift.weight(of: asset).deviation.rounded(places: 10)
                    == (try #require(expected["deviation"]).decimal(asset)))
        }
        #expect(drift.halfL1.rounded(places: 10) == (try expected.decimal("half_l1")))
        #expect(drift.largest?.asset == "AAA" && drift.largest?.value.rounded(places: 10) == dec("0.0366666667"))
        #expect(
            drift.largestRelative?.asset == "CCC"
                && drift.largestRelative?.value.rounded(places: 10) == dec("0.1116666667"))
        let names = try inputs.list("correlation_order").compactMap { $0.stringValue }
        var variance = 0.0
        for (i, a) in names.enumerated() {
            for (j, b) in names.enumerated() {
                let correlation = try #require(inputs["correlation"]?[i]?[j]?.doubleValue)
                let sigma = try #require(inputs["annual_volatility"])
                variance +=
                    drift.weight(of: a).deviation.double * drift.weight(of: b).deviation.double
                    * correlation * (try sigma.double(a)) * (try sigma.double(b))
            }
        }
        let error = variance.squareRoot()
        #expect((error - (try expected.double("tracking_error"))).magnitude < 1e-8)
        var trigger = RebalanceTrigger()
        let thresholds = try #require(inputs["thresholds"])
        trigger.thresholds.halfL1 = try thresholds.decimal("half_l1")
        trigger.thresholds.maxAbsolute = try thresholds.decimal("max_absolute")
        trigger.thresholds.maxRelative = try thresholds.decimal("max_relative")
        trigger.thresholds.trackingError = try thresholds.double("tracking_error")
        let rules = trigger.evaluate(
            drift, trackingError: error, cash: "CASH", daysSinceLast: nil, isTargetChanged: false)
        #expect(rules.count == 4)
        for (rule, fired) in rules { #expect(expected["triggered"]?[rule.rawValue]?.boolValue == fired, "\(rule)") }
    }
}
