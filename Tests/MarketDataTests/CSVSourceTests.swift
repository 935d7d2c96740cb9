import MarketData
import Testing
import WireFormat

@Suite struct `CSV files` {
    private func read(
        _ text: String, interval: BarInterval = .day, sliceLength: Int = 1 << 20
    ) throws -> (bars: [MarketBar], quarantined: [QuarantinedRow]) {
        let bytes = Array(text.utf8)
        let source = CSVSource(directory: "", interval: interval, sliceLength: sliceLength)
        var request = source.plan("prices.csv", from: nil, now: Fixture.lateEnough)
        var bars: [MarketBar] = []
        var quarantined: [QuarantinedRow] = []
        while let current = request {
            guard case .file(_, let offset, let length) = current.target else {
                throw SourceFailure(.schema, "no file")
            }
            let end = min(bytes.count, offset + length)
            let answer = SourceAnswer(
                body: Array(bytes[offset..<end]), now: Fixture.lateEnough, isComplete: end == bytes.count)
            let page = try source.read(answer, to: current).get()
            bars += page.bars
            quarantined += page.quarantined
            request = source.next(after: page, of: current)
        }
        return (bars, quarantined)
    }

    private func lines(_ bars: [MarketBar]) -> [String] {
        bars.map { "\($0.symbol) \($0.start.date) \($0.price)\($0.volume.map { " \($0)" } ?? "")" }
    }

    @Test func `a wide file gives a bar a filled cell`() throws {
        let file = try read("date,AAPL,MSFT\n2023-01-03,125.07,239.58\n2023-01-04,,229.10\n")
        #expect(lines(file.bars) == ["AAPL 2023-01-03 125.07", "MSFT 2023-01-03 239.58", "MSFT 2023-01-04 229.10"])
        #expect(file.quarantined.isEmpty)
    }

    @Test func `a tidy file has the specification's columns in any order`() throws {
        let file = try read(
            """
            timestamp,asset_symbol,volume,price,return,created_at
            2023-01-03T00:00:00Z,AAPL,112117500,125.07,,
            2023-01-04,AAPL,,126.36,0.010314,
            2023-01-05 00:00:00+00,AAPL,1,125.02,,
            2023-01-06 00:00:00,AAPL,1,,,
            """)
        #expect(
            lines(file.bars) == [
                "AAPL 2023-01-03 125.07 112117500", "AAPL 2023-01-04 126.36", "AAPL 2023-01-05 125.02 1",
            ])
        #expect(file.bars.map { $0.statedReturn?.description } == [nil, "0.010314", nil])
        #expect(file.quarantined.isEmpty)
    }

    @Test func `a tidy file may state each bar's interval`() throws {
        let file = try read(
            "asset_symbol,timestamp,price,interval\nBTC,2023-01-03T05:00:00Z,1,1h\nBTC,2023-01-03T05:00:00Z,1,1y\n")
        #expect(file.bars.map(\.interval.code) == ["1h"])
        #expect(file.quarantined.map(\.rule) == [.badInterval])
    }

    @Test(arguments: [
        "date,AAPL\r\n2023-01-03,1\r\n2023-01-04,2\r\n", "\u{feff}date,AAPL\n2023-01-03,1\n2023-01-04,2",
        "date,AAPL\r2023-01-03,1\r2023-01-04,2\r", "\"date\",\"AAPL\"\n\"2023-01-03\",\"1\"\n\n2023-01-04, 2 \n",
        "Date,AAPL\n2023-01-03T00:00:00Z,1\n2023-01-04T00:00:00Z,2\n",
    ])
    func `line ends, byte order mark, quotes and blanks make no difference`(_ text: String) throws {
        #expect(lines(try read(text).bars) == ["AAPL 2023-01-03 1", "AAPL 2023-01-04 2"])
    }

    @Test func `a quoted field may hold commas, quotes and line breaks`() throws {
        let file = try read("asset_symbol,timestamp,price\n\"A,\"\"B\"\"\nC\",2023-01-03,1\nAAPL,2023-01-03,2\n")
        #expect(lines(file.bars) == ["AAPL 2023-01-03 2"])
        #expect(file.quarantined.map(\.rule) == [.badSymbol])
        #expect(file.quarantined.first?.raw["asset_symbol"]?.stringValue == "A,\"B\"\nC")
        #expect(file.quarantined.first?.line == 2)
    }

    @Test(arguments: [
        ("0", HardRule.priceNotPositive), ("-1", .priceNotPositive), ("NaN", .priceNotFinite), ("inf", .priceNotFinite),
        ("-Infinity", .priceNotFinite), ("abc", .priceNotANumber), ("1,5", .wrongColumnCount),
        ("\"1,5\"", .priceNotANumber),
        ("1e999", .priceNotANumber), ("0x10", .priceNotANumber), ("1 2", .priceNotANumber), ("٣", .priceNotANumber),
    ])
    func `a bad price is set aside and the rest of the file goes on`(_ price: String, _ rule: HardRule) throws {
        let file = try read("date,AAPL\n2023-01-03,\(price)\n2023-01-04,2\n")
        #expect(lines(file.bars) == ["AAPL 2023-01-04 2"])
        #expect(file.quarantined.map(\.rule) == [rule])
    }

    @Test(arguments: [
        ("AAPL,2023-02-30,1,1", HardRule.badTimestamp), ("AAPL,soon,1,1", .badTimestamp), ("AAPL,,1,1", .badTimestamp),
        ("AAPL,2023-01-03T16:00:00Z,1,1", .offGrid), ("AAPL,2200-01-03,1,1", .inFuture),
        ("A PL,2023-01-03,1,1", .badSymbol),
        (",2023-01-03,1,1", .badSymbol), ("AAPL,2023-01-03,1,-1", .badVolume), ("AAPL,2023-01-03,1,many", .badVolume),
        ("AAPL,2023-01-03,1", .wrongColumnCount),
    ])
    func `a bad row is set aside with its rule`(_ row: String, _ rule: HardRule) throws {
        let file = try read("asset_symbol,timestamp,price,volume\n\(row)\nMSFT,2023-01-03,2,0\n")
        #expect(lines(file.bars) == ["MSFT 2023-01-03 2 0"])
        #expect(file.quarantined.map(\.rule) == [rule])
    }

    @Test func `a column that cannot be a symbol is reported once`() throws {
        let file = try read("date,S&P 500,AAPL\n2023-01-03,1,2\n2023-01-04,1,3\n")
        #expect(lines(file.bars) == ["AAPL 2023-01-03 2", "AAPL 2023-01-04 3"])
        #expect(file.quarantined.map(\.rule) == [.badSymbol])
    }

    @Test(arguments: [
        "time,AAPL\n2023-01-03,1\n", "date,AAPL,AAPL\n2023-01-03,1,2\n", "date\n2023-01-03\n",
        "asset_symbol,timestamp\nAAPL,2023-01-03\n", "asset_symbol,timestamp,price,colour\nAAPL,2023-01-03,1,red\n",
        "date,AAPL\n2023-01-03,\"1\n", "<html></html>", "date,,AAPL\n2023-01-03,1,2\n",
    ])
    func `a file of another form is refused whole`(_ text: String) {
        let failure = #expect(throws: SourceFailure.self) { try read(text) }
        #expect(failure?.errorClass == .schema)
    }

    @Test(arguments: [1, 2, 3, 7, 16, 64])
    func `slices of any length give the same bars`(_ length: Int) throws {
        let text =
            "\u{feff}date,AAPL,\"MS,FT\"\r\n2023-01-03,1,\"2\"\r\n\r\n2023-01-04,\"3\",4\r\n2023-01-05,5,\r\n2023-01-06,x,7"
        let whole = try read(text)
        let sliced = try read(text, sliceLength: length)
        #expect(lines(sliced.bars) == lines(whole.bars))
        #expect(sliced.quarantined == whole.quarantined)
        #expect(lines(whole.bars) == ["AAPL 2023-01-03 1", "AAPL 2023-01-04 3", "AAPL 2023-01-05 5"])
    }

    @Test func `an empty file and a bare header hold nothing`() throws {
        #expect(try read("").bars.isEmpty)
        #expect(try read("date,AAPL\n").bars.isEmpty)
    }
}
