public import WireFormat

/// CSV files of a folder: wide (`date,AAPL,MSFT`) or tidy (`asset_symbol,timestamp,price,volume,return`).
///
/// Parameters: `directory`, `interval` (`1d`), `suffix` (`.csv`). An empty cell is a missing value, never a zero. Files are
/// read in slices, so that their size does not matter.
public struct CSVSource: MarketDataSource {
    public static let id = "csv"
    public static let manners = SourceManners(requestsPerSecond: 10_000, burst: 10_000)

    private let directory: String
    private let suffix: String
    private let interval: BarInterval
    private let sliceLength: Int

    /// A slice that holds not even one record is doubled up to this.
    private static let longestSlice = 16 << 20

    public init?(parameters: MemberReader) {
        let directory = parameters.string("directory", required: true)
        let suffix = parameters.string("suffix", maximumLength: 32) ?? ".csv"
        let interval = parameters.barInterval("interval") ?? .day
        guard let directory, parameters.isValid else { return nil }
        self.init(directory: directory, interval: interval, suffix: suffix)
    }

    /// - Parameter sliceLength: bytes read at a time.
    public init(directory: String, interval: BarInterval = .day, suffix: String = ".csv", sliceLength: Int = 1 << 20) {
        self.directory = directory
        self.interval = interval
        self.suffix = suffix
        self.sliceLength = sliceLength
    }

    public var inputs: SourceInputs { .folder(path: directory, suffix: suffix) }

    public func plan(_ item: String, from position: String?, now: UTCTimestamp) -> SourceRequest? {
        let path = item.hasPrefix("/") || directory.isEmpty ? item : "\(directory)/\(item)"
        return SourceRequest(item: item, target: .file(path: path, offset: 0, length: sliceLength))
    }

    public func classify(_ answer: SourceAnswer, to request: SourceRequest) -> AnswerClass {
        if let failure = SourceFailure(status: answer.status, quote: "", retryAfterSeconds: nil) {
            return .failed(failure)
        }
        if answer.isWebPage, request.context.isEmpty {
            return .failed(SourceFailure(.schema, "the file is a web page"))
        }
        return answer.body.isEmpty ? .empty : .rows
    }

    public func parse(_ answer: SourceAnswer, to request: SourceRequest) throws(SourceFailure) -> SourcePage {
        let carried = CarriedHeader(context: request.context)
        var reader = CSVReader(answer.body, isComplete: answer.isComplete, line: carried?.line ?? 1)
        if carried == nil { reader.skipByteOrderMark() }
        var header = carried?.header
        if header == nil { header = try reader.next()?.fields }
        guard let header else { return try unfinished(answer) }
        var rows = CSVRows(layout: try CSVLayout(header: header), interval: interval, rules: BarRules(now: answer.now))
        if carried == nil { rows.reportColumns(header) }
        while let record = try reader.next() { rows.take(record) }
        guard reader.position > 0 else { return try unfinished(answer) }
        var page = SourcePage()
        page.bars = rows.bars
        page.quarantined = rows.quarantined
        page.consumed = reader.position
        page.hasMore = !answer.isComplete
        page.context = CarriedHeader(line: reader.line, header: header).context
        return page
    }

    public func next(after page: SourcePage, of request: SourceRequest) -> SourceRequest? {
        guard page.hasMore, case .file(let path, let offset, let length) = request.target else { return nil }
        return SourceRequest(
            item: request.item,
            target: .file(
                path: path, offset: offset + page.consumed, length: page.consumed == 0 ? length * 2 : sliceLength),
            context: page.consumed == 0 ? request.context : page.context)
    }

    /// Not one whole record in the slice.
    private func unfinished(_ answer: SourceAnswer) throws(SourceFailure) -> SourcePage {
        var page = SourcePage()
        guard !answer.isComplete else { return page }
        guard answer.body.count < Self.longestSlice else {
            throw SourceFailure(.schema, "a record is longer than \(Self.longestSlice) bytes")
        }
        page.hasMore = true
        return page
    }
}

/// The header and the line reached, from slice to slice.
private struct CarriedHeader {
    var line: Int
    var header: [String]

    init(line: Int, header: [String]) {
        self.line = line
        self.header = header
    }

    init?(context: String) {
        guard !context.isEmpty, let value = try? StrictJSON.parse(Array(context.utf8), limits: .stored),
            let parts = value.arrayValue,
            let line = parts.first?.intValue
        else { return nil }
        self.line = line
        header = parts.dropFirst().compactMap { $0.stringValue }
    }

    var context: String { JSONValue.array([JSONValue(line)] + header.map { .string($0) }).serialized() }
}
