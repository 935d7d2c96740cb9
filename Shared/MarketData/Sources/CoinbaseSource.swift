public import WireFormat

/// Candles of Coinbase Exchange, `GET /products/{id}/candles`: keyless, official, in the quote currency.
///
/// Parameters: `products` (ids, or `{"product":"BTC-USD","symbol":"BTC"}`), `interval` (`1m 5m 15m 1h 6h 1d`), `start` (a date;
/// default 300 bars back), `overlap` (3: stored bars that are read again), `url`.
/// A row is `[time, low, high, open, close, volume]`, newest first; the newest bucket may still be open; buckets without
/// trades are absent.
/// Source: https://docs.cdp.coinbase.com/exchange/reference/exchangerestapi_getproductcandles
public struct CoinbaseSource: MarketDataSource {
    public static let id = "coinbase"
    /// 10 a second with bursts of 15 are allowed.
    public static let manners = SourceManners(requestsPerSecond: 8, burst: 10)

    private static let intervals: Set<String> = ["1m", "5m", "15m", "1h", "6h", "1d"]
    /// A window of 301 buckets is refused.
    private static let bucketsPerPage = 300

    /// Symbol in market_data by product id.
    private let symbols: [String: String]
    private let products: [String]
    private let interval: BarInterval
    private let start: CalendarDate?
    private let overlap: Int
    private let baseURL: String

    public init?(parameters: MemberReader) {
        var symbols: [String: String] = [:]
        var products: [String] = []
        for (place, element) in parameters.elements("products", required: true, count: 1...1_000) ?? [] {
            let reader = element.objectValue.map { MemberReader($0, at: place, faults: parameters.faults) }
            let product = element.stringValue ?? reader?.string("product", required: true) ?? ""
            let symbol = reader?.string("symbol") ?? product
            reader?.finish()
            guard Self.isProduct(product), BarRules.isSymbol(symbol),
                symbols.updateValue(symbol, forKey: product) == nil
            else {
                parameters.faults.record(Violation(place, .badFormat, "Expected a product id such as BTC-USD, once."))
                continue
            }
            products.append(product)
        }
        let interval = parameters.barInterval("interval") ?? .day
        if !Self.intervals.contains(interval.code) {
            parameters.faults.record(
                Violation(
                    parameters.pointer.appending("interval"), .unknownValue, "Coinbase has 1m, 5m, 15m, 1h, 6h and 1d.")
            )
        }
        let start = parameters.date("start")
        let overlap = parameters.int("overlap", in: 1...299) ?? 3
        let url = parameters.string("url") ?? "https://api.exchange.coinbase.com"
        guard parameters.isValid else { return nil }
        self.symbols = symbols
        self.products = products
        self.interval = interval
        self.start = start
        self.overlap = overlap
        baseURL = url
    }

    public var inputs: SourceInputs { .items(products) }

    public func plan(_ item: String, from position: String?, now: UTCTimestamp) -> SourceRequest? {
        let end = interval.floor(now)
        let last = position.flatMap { UTCTimestamp(iso: $0) }
        let first =
            last.map { interval.advance(interval.floor($0), by: 1 - overlap) }
            ?? start.map { interval.floor($0.start) } ?? interval.advance(end, by: -Self.bucketsPerPage)
        guard first < end else { return nil }
        return page(item, from: first, end: end, hasHistory: last != nil)
    }

    public func next(after page: SourcePage, of request: SourceRequest) -> SourceRequest? {
        guard let window = request.window, window.to < window.end else { return nil }
        let hasHistory = window.hasHistory || !page.bars.isEmpty
        return self.page(request.item, from: window.to, end: window.end, hasHistory: hasHistory)
    }

    private func page(_ product: String, from: UTCTimestamp, end: UTCTimestamp, hasHistory: Bool) -> SourceRequest {
        let to = min(end, interval.advance(from, by: Self.bucketsPerPage))
        let url =
            "\(baseURL)/products/\(product)/candles?granularity=\(interval.seconds)&start=\(from.isoString)&end=\(to.isoString)"
        return SourceRequest(
            item: product, target: .get(url: url),
            window: FetchWindow(from: from, to: to, end: end, hasHistory: hasHistory))
    }

    public func classify(_ answer: SourceAnswer, to request: SourceRequest) -> AnswerClass {
        let failure = SourceFailure(
            status: answer.status, quote: answer.quote, retryAfterSeconds: answer.retryAfterSeconds)
        if let failure { return .failed(failure) }
        if answer.isWebPage { return .failed(SourceFailure(.upstream, "a web page instead of candles")) }
        do throws(SourceFailure) {
            let document = try answer.json()
            if let message = document["message"]?.stringValue { return .failed(Self.failure(message: message)) }
            guard let rows = document.arrayValue else {
                throw SourceFailure(.schema, "the answer is no list of candles")
            }
            return rows.isEmpty && request.window == nil ? .empty : .rows
        } catch {
            return .failed(error)
        }
    }

    public func parse(_ answer: SourceAnswer, to request: SourceRequest) throws(SourceFailure) -> SourcePage {
        guard let candles = try answer.json().arrayValue else {
            throw SourceFailure(.schema, "the answer is no list of candles")
        }
        let symbol = symbols[request.item] ?? request.item
        var page = SourcePage()
        var seen: Set<UTCTimestamp> = []
        let rules = BarRules(now: answer.now)
        for raw in try candles.map({ candle throws(SourceFailure) in try row(candle, symbol) }).sorted(
            by: Self.isEarlier)
        {
            if let start = raw.start {
                seen.insert(start)
                guard interval.advance(start, by: 1) <= answer.now else {
                    page.dropped.append(DroppedRow(symbol: symbol, start: start, reason: .inProgress))
                    continue
                }
            }
            do throws(RuleBreach) {
                page.bars.append(try rules.check(raw))
            } catch {
                page.quarantined.append(error.row)
            }
        }
        page.missing = missing(request.window, seen: seen, now: answer.now)
        page.position = position(page, request.window)
        return page
    }

    /// `[time, low, high, open, close, volume]`: not in the usual order.
    private func row(_ candle: JSONValue, _ symbol: String) throws(SourceFailure) -> RawBar {
        guard let fields = candle.arrayValue, fields.count == 6, let seconds = fields[0].intValue,
            abs(seconds) < 1 << 40
        else { throw SourceFailure(.schema, "a candle is not [time, low, high, open, close, volume]") }
        var figures: [String] = []
        for field in fields.dropFirst() {
            guard let number = field.numberValue else {
                throw SourceFailure(.schema, "a candle holds \(field.kindInWords)")
            }
            figures.append(number.text)
        }
        var raw = RawBar(
            symbol: symbol, interval: interval, start: UTCTimestamp(secondsSinceEpoch: Int64(seconds)),
            price: figures[3],
            volume: figures[4])
        (raw.low, raw.high, raw.open) = (figures[0], figures[1], figures[2])
        return raw
    }

    /// Closed buckets of the window that did not come; before the first known bar nothing is missing.
    private func missing(_ window: FetchWindow?, seen: Set<UTCTimestamp>, now: UTCTimestamp) -> [UTCTimestamp] {
        guard let window, let earliest = window.hasHistory ? window.from : seen.min() else { return [] }
        var missing: [UTCTimestamp] = []
        var bucket = interval.floor(earliest)
        if bucket < window.from { bucket = interval.advance(bucket, by: 1) }
        while bucket < window.to, interval.advance(bucket, by: 1) <= now {
            if !seen.contains(bucket) { missing.append(bucket) }
            bucket = interval.advance(bucket, by: 1)
        }
        return missing
    }

    /// The last final bar; an empty page before the end of the plan is passed over for good.
    private func position(_ page: SourcePage, _ window: FetchWindow?) -> String? {
        if let last = page.bars.last { return last.start.isoString }
        guard let window, window.to < window.end else { return nil }
        return interval.advance(window.to, by: -1).isoString
    }

    private static func isEarlier(_ a: RawBar, _ b: RawBar) -> Bool {
        guard let first = a.start, let second = b.start else { return false }
        return first < second
    }

    private static func isProduct(_ text: String) -> Bool {
        let allowed = { (byte: UInt8) in
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || byte == UInt8(ascii: "-")
        }
        return (3...32).contains(text.utf8.count) && text.utf8.allSatisfy(allowed)
    }

    /// Errors that come with status 200.
    private static func failure(message: String) -> SourceFailure {
        let text = message.lowercased()
        if text.contains("rate limit") { return SourceFailure(.rateLimited, message) }
        if text.contains("notfound") || text.contains("not found") { return SourceFailure(.notFound, message) }
        return SourceFailure(.badRequest, message)
    }
}
