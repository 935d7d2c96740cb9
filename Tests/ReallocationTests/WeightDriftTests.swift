import Foundation
import Reallocation
import Testing

@Suite("Weight drift")
struct WeightDriftTests {
    private func decimal(_ text: String) throws -> Decimal { try #require(Decimal(string: text)) }

    @Test("measures what has moved, cash included")
    func measures() throws {
        let drift = WeightDrift(
            held: ["A": try decimal("0.45"), "B": try decimal("0.35"), "CASH": try decimal("0.20")],
            target: [
                "A": try decimal("0.40"), "B": try decimal("0.40"), "C": try decimal("0.10"),
                "CASH": try decimal("0.10"),
            ])
        #expect(drift.halfL1 == (try decimal("0.15")))
        #expect(drift.largest == (try decimal("0.10")))
        #expect(drift.largestRelative == 1)
    }

    @Test("is zero at the target, and has no relative measure without a target")
    func edges() throws {
        let weights = ["A": try decimal("0.3"), "B": try decimal("0.7")]
        #expect(WeightDrift(held: weights, target: weights).halfL1 == 0)
        #expect(WeightDrift(held: weights, target: [:]).largestRelative == nil)
        #expect(WeightDrift(held: [:], target: [:]).halfL1 == 0)
    }

    @Test("fires strictly above a threshold, in exact decimals")
    func firesStrictly() throws {
        // 0.1 + 0.2 is not 0.3 in binary: exactly at the threshold nothing may fire.
        let drift = WeightDrift(
            held: ["A": try decimal("0.1") + (try decimal("0.2")), "B": try decimal("0.7")],
            target: ["A": 0, "B": 1])
        #expect(!drift.exceeds(halfL1: try decimal("0.3")))
        #expect(drift.exceeds(halfL1: try decimal("0.2999999999")))
        #expect(!drift.exceeds())
        #expect(drift.exceeds(largest: try decimal("0.29")))
        #expect(!drift.exceeds(largestRelative: try decimal("0.3")))
    }
}
