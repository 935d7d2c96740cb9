import LinearAlgebra
import Testing
import WireFormat

@testable import Optimizer

@Suite("Aligned prices")
struct AlignedPricesTests {
    /// 2024-01-05 is a Friday.
    private static let friday = 19_727

    private func series(_ asset: String, _ days: [Int], continuous: Bool = false) -> PriceSeries {
        PriceSeries(asset: asset, isContinuous: continuous, days: days, prices: days.map { Double($0) })
    }

    @Test("the joint days are kept, days with gaps are dropped and counted by asset")
    func gaps() {
        let aligned = AlignedPrices([series("A", [1, 2, 3, 5]), series("B", [2, 3, 4, 5, 6])])
        #expect(aligned.dates.map { $0.daysSinceEpoch } == [2, 3, 5])
        #expect(aligned.prices.storage == [2, 3, 5, 2, 3, 5])
        #expect(aligned.gaps.dropped == 1)
        #expect(aligned.gaps.byAsset.map { $0.asset } == ["A"])
        #expect(aligned.gaps.byAsset.map { $0.days } == [1])
    }

    @Test("no common day gives no rows", arguments: [[1, 2], []])
    func disjoint(days: [Int]) {
        #expect(AlignedPrices([series("A", days), series("B", [3, 4])]).dates.isEmpty)
    }

    @Test("beside an exchange's asset, one that never closes counts with the bar that ended before the session")
    func noLookAhead() {
        let sessions = [Self.friday - 1, Self.friday, Self.friday + 3, Self.friday + 4]
        let always = (-2...4).map { Self.friday + $0 }
        let aligned = AlignedPrices([series("SPY", sessions), series("BTC", always, continuous: true)])
        #expect(aligned.dates.map { $0.daysSinceEpoch } == sessions)
        // Monday's row has Sunday's bar: nothing from after the close, and the weekend's move.
        #expect(aligned.prices.column(1) == sessions.map { Double($0 - 1) })
        #expect(aligned.gaps.shifted == ["BTC"])
        #expect(aligned.gaps.dropped == 0)
    }

    @Test("a price is carried over a gap of a week at most, never before the first nor after the last")
    func forwardFill() {
        let all = Array(0...30)
        // Gaps of two days and of nine; the last price is of day 28.
        let gapped = [2, 3, 6, 7] + Array(17...28)
        let aligned = AlignedPrices([series("A", all), series("B", gapped)], filling: .forwardFill)
        let days = aligned.dates.map { $0.daysSinceEpoch }
        #expect(days == Array(2...14) + Array(17...28))
        let column = aligned.prices.column(1)
        for (day, price) in zip(days, column) {
            #expect(price == Double(gapped.last { $0 <= day } ?? -1), "\(day)")
        }
        #expect(aligned.gaps.filled.map { $0.asset } == ["B"] && aligned.gaps.filled.map { $0.days } == [9])
        #expect(aligned.gaps.dropped == 2 && aligned.gaps.byAsset.map { $0.days } == [2])
        // One bar around the clock, beside an exchange: Monday wants Sunday's, and takes Saturday's.
        let sessions = [Self.friday - 1, Self.friday, Self.friday + 3, Self.friday + 4, Self.friday + 5]
        let always =
            (-3...4).map { Self.friday + $0 }.filter { ![2, 4].contains($0 - Self.friday) } + [Self.friday + 9]
        let mixed = AlignedPrices(
            [series("SPY", sessions), series("BTC", always, continuous: true)], filling: .forwardFill)
        #expect(mixed.dates.map { $0.daysSinceEpoch } == sessions)
        #expect(mixed.prices.column(1) == [-2, -1, 1, 3, 3].map { Double(Self.friday + $0) })
        #expect(mixed.gaps.filled.map { $0.days } == [2])
    }

    @Test("assets that never close are not moved among themselves")
    func allContinuous() {
        let days = Array(10...20)
        let aligned = AlignedPrices([series("BTC", days, continuous: true), series("ETH", days, continuous: true)])
        #expect(aligned.dates.map { $0.daysSinceEpoch } == days)
        #expect(aligned.gaps.shifted.isEmpty)
    }
}
