import LinearAlgebra
import PortfolioModels
import Testing
import WireFormat

@Suite("Return panel")
struct ReturnPanelTests {
    private func dates(_ count: Int, from first: Int = 19_000) -> [CalendarDate] {
        (0..<count).compactMap { CalendarDate(daysSinceEpoch: first + $0) }
    }

    @Test("prices become simple returns")
    func prices() throws {
        let panel = try ReturnPanel.fromPrices(
            assets: ["A", "B"], dates: dates(3), prices: [[100, 110, 99], [50, 50, 60]])
        #expect(panel.observations == 2)
        #expect(abs(panel.returns[0, 0] - 0.1) < 1e-15 && abs(panel.returns[1, 0] + 0.1) < 1e-15)
        #expect(panel.column(1) == [0, 60.0 / 50 - 1])
        #expect(panel.dates == Array(dates(3).dropFirst()))
    }

    @Test("dates with a gap are left out and reported")
    func gaps() throws {
        let panel = try ReturnPanel.fromPrices(
            assets: ["A", "B"], dates: dates(5), prices: [[100, nil, 120, 130, 140], [50, 51, 52, nil, 54]])
        #expect(panel.observations == 2)
        #expect(abs(panel.returns[0, 0] - 0.2) < 1e-15)
        #expect(panel.missing.droppedDates == 2)
        #expect(panel.missing.missingByAsset.map { $0.asset } == ["A", "B"])
        #expect(panel.missing.missingByAsset.map { $0.count } == [1, 1])
    }

    @Test("too little is a data problem")
    func problems() {
        let d = dates(3)
        #expect(
            problemCode { try ReturnPanel.fromPrices(assets: ["A"], dates: d, prices: [[nil, nil, nil]]) } == "DAT-003")
        #expect(
            problemCode { try ReturnPanel.fromPrices(assets: ["A"], dates: d, prices: [[1, 2, nil]]) } == "DAT-002")
        #expect(problemCode { try ReturnPanel.fromPrices(assets: ["A"], dates: d, prices: [[1, 0, 2]]) } == "DAT-004")
        #expect(
            problemCode { try ReturnPanel.fromReturns(assets: ["A"], dates: d, returns: [[0.1, nil, nil]]) }
                == "DAT-002")
        #expect(
            problemCode { try ReturnPanel.fromReturns(assets: ["A"], dates: d, returns: [[0.1, .infinity, 0]]) }
                == "DAT-004")
    }

    @Test("weekends make a seven-day year")
    func calendar() throws {
        let values = [[Double?]](repeating: [0.1, 0.2, 0.1, 0.3, 0.1, 0.2, 0.1], count: 1)
        let daily = try ReturnPanel.fromReturns(assets: ["A"], dates: dates(7), returns: values)
        #expect(daily.periodsPerYear == 365)
        #expect(try randomPanel(assets: 1, observations: 20, seed: 1).periodsPerYear == 252)
    }

    @Test("the bytes of a panel depend on everything in it")
    func bytes() throws {
        func made(_ name: String, _ first: Int, _ value: Double) throws -> [UInt8] {
            try ReturnPanel.fromReturns(assets: [name], dates: dates(2, from: first), returns: [[value, 0.2]])
                .canonicalBytes
        }
        let plain = try made("A", 19_000, 0.1)
        #expect(plain == (try made("A", 19_000, 0.1)))
        #expect(plain != (try made("B", 19_000, 0.1)))
        #expect(plain != (try made("A", 19_001, 0.1)))
        #expect(plain != (try made("A", 19_000, 0.1000000001)))
        #expect(try made("A", 19_000, 0) == made("A", 19_000, -0.0))
    }

    @Test("an inline panel is cut to the request's assets and window")
    func inline() throws {
        let panel = InlinePanel(
            kind: .returns, dates: dates(6), assets: ["A", "B"], values: [[1, 2, 3, 4, 5, 6], [6, 5, nil, 3, 2, 1]])
        var request = OptimizeRequest(assets: ["B"])
        request.startDate = dates(6)[1]
        let made = try ReturnPanel.inline(panel, request: request)
        #expect(made.assets == ["B"])
        #expect(made.column(0) == [5, 3, 2, 1])
    }
}
