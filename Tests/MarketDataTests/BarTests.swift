import MarketData
import Testing
import WireFormat

@Suite struct `Decimal numbers` {
    @Test(arguments: [
        ("12", "12"), ("80550.0", "80550.0"), ("-0.50", "-0.50"), (".5", "0.5"), ("12.", "12"), ("1e-8", "0.00000001"),
        ("1.20E+3", "1200"), ("1.25e1", "12.5"), ("0.0000345526", "0.0000345526"), ("-0", "0"), ("00012", "12"),
        ("+3", "3"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
    ])
    func `keep the digits they were written with`(_ text: String, _ expected: String) {
        #expect(DecimalNumber(text)?.description == expected)
    }

    @Test(arguments: [
        "", "-", ".", "e5", "1e", "1e+", "1..2", "1,2", "NaN", "inf", " 1", "1 ", "0x1", "1e65", "1e-65", "1e99999",
        "٣",
        "1234567890123456789012345678901234567890",
    ])
    func `refuse what is no number or too long`(_ text: String) { #expect(DecimalNumber(text) == nil) }

    @Test func `equal by value whatever the zeros`() throws {
        #expect(DecimalNumber("80550.0") == DecimalNumber("80550"))
        #expect(DecimalNumber("8.055e4") == DecimalNumber("80550.000"))
        #expect(DecimalNumber("0.00") == DecimalNumber("-0"))
        #expect(DecimalNumber("1") != DecimalNumber("-1"))
        #expect(Set(["1", "1.0", "10e-1", "2"].compactMap { DecimalNumber($0) }).count == 2)
    }

    @Test func `shift integers exactly`() {
        #expect(DecimalNumber(Int64(10_259_321_149), exponent: -8)?.description == "102.59321149")
        #expect(DecimalNumber(Int64.min, exponent: -18)?.description == "-9.223372036854775808")
        #expect(DecimalNumber(UInt64.max, exponent: 2)?.description == "1844674407370955161500")
        #expect(DecimalNumber(Int64(1), exponent: -65) == nil)
    }
}

@Suite struct `Bar intervals` {
    @Test(arguments: [
        ("1s", 1), ("5m", 300), ("1h", 3_600), ("6h", 21_600), ("1d", 86_400), ("1w", 604_800), ("9999s", 9_999),
    ])
    func `are a count and a unit`(_ code: String, _ seconds: Int64) { #expect(BarInterval(code)?.seconds == seconds) }

    @Test(arguments: ["", "d", "0d", "01d", "1y", "1D", "-1d", "10000s", "1.5h", "1 d"])
    func `refuse anything else`(_ code: String) { #expect(BarInterval(code) == nil) }

    @Test func `have a grid in UTC, weeks from Monday`() throws {
        let week = try #require(BarInterval("1w"))
        #expect(week.isOnGrid(try time("2023-01-02T00:00:00Z")))
        #expect(!week.isOnGrid(try time("2023-01-01T00:00:00Z")))
        #expect(BarInterval.day.floor(try time("1969-12-31T23:59:59.5Z")).isoString == "1969-12-31T00:00:00Z")
        #expect(!BarInterval.second.isOnGrid(try time("2023-01-02T00:00:00.5Z")))
    }
}

@Suite struct `Bar rules` {
    private func bar(_ change: (inout RawBar) -> Void) throws -> Result<MarketBar, RuleBreach> {
        var raw = RawBar(
            symbol: "BTC-USD", interval: .day, start: try time("2023-01-03T00:00:00Z"), price: "10", volume: "5")
        (raw.open, raw.high, raw.low) = ("9", "11", "8")
        change(&raw)
        do throws(RuleBreach) {
            return .success(try BarRules(now: try now).check(raw))
        } catch {
            return .failure(error)
        }
    }

    private var now: UTCTimestamp {
        get throws(RuleBreach) { UTCTimestamp(secondsSinceEpoch: 1_672_790_400) }
    }

    private func rule(_ change: (inout RawBar) -> Void) throws -> HardRule? {
        if case .failure(let breach) = try bar(change) { breach.row.rule } else { nil }
    }

    @Test func `name the first rule broken`() throws {
        #expect(try rule { _ in } == nil)
        #expect(try rule { $0.symbol = "-BTC" } == .badSymbol)
        #expect(try rule { $0.symbol = String(repeating: "A", count: 33) } == .badSymbol)
        #expect(try rule { $0.start = nil } == .badTimestamp)
        #expect(
            try rule { $0.start = $0.start.map { UTCTimestamp(microsecondsSinceEpoch: $0.microsecondsSinceEpoch + 1) } }
                == .offGrid)
        #expect(try rule { $0.start = $0.start.map { BarInterval.day.advance($0, by: 2) } } == .inFuture)
        #expect(try rule { $0.low = "10.5" } == .badRange)
        #expect(try rule { $0.high = "9.5" } == .badRange)
        #expect(try rule { $0.high = "9.9999999999" } == nil)
        #expect(try rule { $0.open = "NaN" } == .badRange)
        #expect(try rule { $0.volume = "-0.1" } == .badVolume)
        #expect(try rule { $0.volume = "0" } == nil)
        #expect(try rule { $0.statedReturn = "-1.5" } == .badReturn)
    }

    @Test func `a minute ahead of the clock is tolerated`() throws {
        let minute = try #require(BarInterval("1m"))
        var raw = RawBar(symbol: "A", interval: minute, start: try time("2023-01-04T00:01:00Z"), price: "1")
        #expect((try? BarRules(now: try now).check(raw)) != nil)
        raw.start = try time("2023-01-04T00:02:00Z")
        #expect(throws: RuleBreach.self) { try BarRules(now: try now).check(raw) }
    }

    @Test func `a wick is kept and marked`() throws {
        #expect(try bar { $0.high = "31" }.get().quality == [.wick])
        #expect(try bar { $0.low = "2.9" }.get().quality.names == ["wick"])
        #expect(try bar { $0.high = "30" }.get().quality.isEmpty)
    }
}

@Suite struct `The registry of sources` {
    @Test func `finds each source by its id once`() {
        for source in Sources.all { #expect(Sources.named(source.id) == source) }
        #expect(Set(Sources.all.map { $0.id }).count == Sources.all.count)
        #expect(Sources.named("stooq") == nil)
    }
}
