import MarketData
import Testing
import WireFormat

@Suite struct `Coinbase candles` {
    private func coinbase(_ interval: String = "1d") throws -> CoinbaseSource {
        try source(
            CoinbaseSource.self, ["products": ["BTC-USD"], "interval": .string(interval), "start": "2025-03-01"])
    }

    private func request(from: String, to: String) throws -> SourceRequest {
        let end = try time(to)
        return SourceRequest(
            item: "BTC-USD", target: .get(url: ""),
            window: FetchWindow(from: try time(from), to: end, end: end, hasHistory: false))
    }

    @Test(
        .enabled(if: Fixture.isAvailable("coinbase-candles"), "no ../shared"),
        arguments: Fixture.cases("coinbase-candles"))
    func `every recorded answer is read as expected`(_ fixture: Fixture) throws {
        let source = try coinbase(fixture.file.contains("-1h") ? "1h" : "1d")
        var request = SourceRequest(item: "BTC-USD", target: .get(url: ""))
        if fixture.expected["request"] != nil {
            request = try self.request(from: "2025-03-12T00:00:00Z", to: "2025-03-15T12:00:00Z")
        }
        switch source.read(try fixture.answer(), to: request) {
        case .failure(let failure): fixture.check(failure)
        case .success(let page):
            let rows = try #require(fixture.expected["rows"]?.arrayValue)
            #expect(page.bars.count == rows.count)
            for (bar, row) in zip(page.bars, rows) {
                #expect(bar.start.isoString == row["ts"]?.stringValue)
                #expect(bar.open == decimal(row["open"]))
                #expect(bar.high == decimal(row["high"]))
                #expect(bar.low == decimal(row["low"]))
                #expect(bar.price == decimal(row["close"]))
                #expect(bar.volume == decimal(row["volume"]))
            }
            let dropped = page.dropped.map { "\($0.start?.isoString ?? "") \($0.reason.rawValue)" }
            let expected = (fixture.expected["dropped"]?.arrayValue ?? []).map {
                "\($0["ts"]?.stringValue ?? "") \($0["reason"]?.stringValue ?? "")"
            }
            #expect(dropped == expected)
            #expect(
                page.missing.map(\.isoString) == (fixture.expected["missing"]?.arrayValue ?? []).map { $0.stringValue })
            #expect(page.quarantined.isEmpty)
        }
    }

    @Test func `digits pass through untouched and in ascending time`() throws {
        let body = "[[1700006400,1.10,1.90,1.20,1.50,0.000000010],[1699920000,1e-8,3e-8,2e-8,2.50e-8,7]]"
        let answer = SourceAnswer(body: Array(body.utf8), now: try time("2023-11-16T00:00:00Z"))
        let page = try coinbase().read(answer, to: SourceRequest(item: "BTC-USD", target: .get(url: ""))).get()
        #expect(page.bars.map(\.price.description) == ["0.0000000250", "1.50"])
        #expect(page.bars.map { $0.volume?.description } == ["7", "0.000000010"])
        #expect(page.position == "2023-11-15T00:00:00Z")
    }

    @Test func `a broken bar is set aside with its rule and the rest goes on`() throws {
        let body = """
            [[1700006400,1,2,1.5,0,1],[1699920000,3,2,1.5,1.6,1],[1699833600,1,2,1.5,1.6,-1],[1699747200,1,2,1.5,1.6,1],\
            [1699660801,1,2,1.5,1.6,1]]
            """
        let answer = SourceAnswer(body: Array(body.utf8), now: try time("2023-11-16T00:00:00Z"))
        let page = try coinbase().read(answer, to: SourceRequest(item: "BTC-USD", target: .get(url: ""))).get()
        #expect(page.bars.count == 1)
        #expect(page.quarantined.map(\.rule) == [.offGrid, .badVolume, .badRange, .priceNotPositive])
    }

    @Test(arguments: [
        ("[[1700006400,1,2,1.5,1.6]]", SourceErrorClass.schema), ("[[1700006400,1,2,1.5,\"1.6\",1]]", .schema),
        ("[[1700006400,1,2,1.5,null,1]]", .schema), ("{\"candles\":[]}", .schema),
        ("[[1700006400,1,2,1.5,NaN,1]]", .schema),
        ("[[1700006400,1,2,1.5", .upstream), ("", .upstream), ("<html>sorry</html>", .upstream), ("busy", .upstream),
        ("{\"message\":\"Public rate limit exceeded\"}", .rateLimited), ("{\"message\":\"NotFound\"}", .notFound),
    ])
    func `a wrong body under status 200 is never rows`(_ body: String, _ expected: SourceErrorClass) throws {
        let answer = SourceAnswer(body: Array(body.utf8), now: Fixture.lateEnough)
        let result = try coinbase().read(answer, to: SourceRequest(item: "BTC-USD", target: .get(url: "")))
        #expect(throws: SourceFailure.self) { try result.get() }
        if case .failure(let failure) = result { #expect(failure.errorClass == expected) }
    }

    @Test func `pages hold 300 buckets and cover the window without a hole`() throws {
        let source = try coinbase("1h")
        let now = try time("2025-04-01T10:30:00Z")
        var request = source.plan("BTC-USD", from: nil, now: now)
        var windows: [FetchWindow] = []
        while let page = request {
            windows.append(try #require(page.window))
            request = source.next(after: SourcePage(), of: page)
        }
        #expect(windows.first?.from.isoString == "2025-03-01T00:00:00Z")
        #expect(windows.last?.to.isoString == "2025-04-01T10:00:00Z")
        #expect(zip(windows, windows.dropFirst()).allSatisfy { $0.to == $1.from })
        #expect(windows.allSatisfy { $0.to.secondsSinceEpoch - $0.from.secondsSinceEpoch <= 300 * 3600 })
        #expect(windows.count == 3)
    }

    @Test func `a checkpoint is read again from three bars back`() throws {
        let request = try coinbase().plan(
            "BTC-USD", from: "2025-03-10T00:00:00Z", now: try time("2025-03-12T07:00:00Z"))
        #expect(
            request?.target
                == .get(
                    url: "https://api.exchange.coinbase.com/products/BTC-USD/candles?granularity=86400"
                        + "&start=2025-03-08T00:00:00Z&end=2025-03-12T00:00:00Z"))
        #expect(request?.window?.hasHistory == true)
    }

    @Test func `wrong parameters are named with their place`() {
        let parameters: JSONValue = ["products": ["btc usd"], "interval": "2h", "star": "2025-01-01"]
        let error = #expect(throws: Problem.self) {
            try Sources.make(CoinbaseSource.self, parameters: MemberReader(parameters))
        }
        #expect(error?.errors.map(\.pointer.description) == ["#/products/0", "#/interval", "#/star"])
    }
}
