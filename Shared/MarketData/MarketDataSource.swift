public import WireFormat

/// A place prices come from. Pure: it says what to ask and reads what came; fetching is the collector's.
///
/// A source is one file in `Sources/` and one line in the registry.
public protocol MarketDataSource: Sendable {
    /// `ballast.source.source_id`.
    static var id: String { get }
    /// How fast its hosts may be asked.
    static var manners: SourceManners { get }

    /// Reads a job's parameters; unknown and wrong members are recorded in the reader.
    init?(parameters: MemberReader)

    /// What the job collects.
    var inputs: SourceInputs { get }

    /// The first request for an item, or nil when there is nothing to ask for yet.
    ///
    /// - Parameters:
    ///   - item: a series, a group of accounts, or a file's name, as `inputs` has it.
    ///   - position: the checkpoint, as the last stored page gave it.
    func plan(_ item: String, from position: String?, now: UTCTimestamp) -> SourceRequest?

    /// What kind of answer this is; looked at before any row, on every status.
    func classify(_ answer: SourceAnswer, to request: SourceRequest) -> AnswerClass

    /// The rows of an answer of class `.rows`.
    func parse(_ answer: SourceAnswer, to request: SourceRequest) throws(SourceFailure) -> SourcePage

    /// The request that continues after a stored page, or nil at the end.
    func next(after page: SourcePage, of request: SourceRequest) -> SourceRequest?
}

extension MarketDataSource {
    /// Classifies, then parses: the one way an answer becomes rows.
    public func read(_ answer: SourceAnswer, to request: SourceRequest) -> Result<SourcePage, SourceFailure> {
        switch classify(answer, to: request) {
        case .failed(let failure): return .failure(failure)
        case .empty: return .success(SourcePage())
        case .rows:
            do throws(SourceFailure) {
                return .success(try parse(answer, to: request))
            } catch {
                return .failure(error)
            }
        }
    }
}

/// What a job goes through, item by item; each item has its own checkpoint.
public enum SourceInputs: Sendable, Equatable {
    case items([String])
    /// Files of a folder; a file is an item, and its digest is its checkpoint.
    case folder(path: String, suffix: String)
}

/// The rate a source's host allows, already cut to about 80 %.
public struct SourceManners: Sendable, Equatable {
    public var requestsPerSecond: Double
    public var burst: Double

    public init(requestsPerSecond: Double, burst: Double) {
        self.requestsPerSecond = requestsPerSecond
        self.burst = burst
    }
}

/// One thing to ask.
public struct SourceRequest: Sendable, Equatable {
    public enum Target: Sendable, Equatable {
        case get(url: String)
        /// JSON.
        case post(url: String, body: [UInt8])
        /// Bytes of a file from `offset` on, at most `length`.
        case file(path: String, offset: Int, length: Int)
    }

    public var item: String
    public var target: Target
    /// The bars asked for, where the source thinks in bars.
    public var window: FetchWindow?
    /// What the source carries from page to page.
    public var context = ""

    public init(item: String, target: Target, window: FetchWindow? = nil, context: String = "") {
        self.item = item
        self.target = target
        self.window = window
        self.context = context
    }
}

/// Bars from `from` up to, not including, `to`; the whole plan ends at `end`.
public struct FetchWindow: Sendable, Equatable {
    public var from: UTCTimestamp
    public var to: UTCTimestamp
    public var end: UTCTimestamp
    /// Whether bars before `from` are known to exist: an absent first bar is then a gap.
    public var hasHistory: Bool

    public init(from: UTCTimestamp, to: UTCTimestamp, end: UTCTimestamp, hasHistory: Bool) {
        self.from = from
        self.to = to
        self.end = end
        self.hasHistory = hasHistory
    }
}

/// What came back.
public struct SourceAnswer: Sendable, Equatable {
    /// 200 for a file that could be read.
    public var status: Int
    public var body: [UInt8]
    /// The time of the answer by the server's clock where it says so, else by ours.
    public var now: UTCTimestamp
    /// The wait the server asks for.
    public var retryAfterSeconds: Int?
    /// False for a slice of a file with more behind it.
    public var isComplete = true

    public init(
        status: Int = 200, body: [UInt8], now: UTCTimestamp, retryAfterSeconds: Int? = nil, isComplete: Bool = true
    ) {
        self.status = status
        self.body = body
        self.now = now
        self.retryAfterSeconds = retryAfterSeconds
        self.isComplete = isComplete
    }
}

/// The rows of one answer, sorted by what may happen to them.
public struct SourcePage: Sendable, Equatable {
    /// Ascending in time for each series.
    public var bars: [MarketBar] = []
    public var quarantined: [QuarantinedRow] = []
    /// Rows that are not stored, with the reason.
    public var dropped: [DroppedRow] = []
    /// Bars that were due and did not come: gaps, never filled.
    public var missing: [UTCTimestamp] = []
    /// The item's checkpoint once this page is stored; nil leaves it.
    public var position: String?
    /// Bytes of a file slice that were used, and whether more are to come.
    public var consumed = 0
    public var hasMore = false
    /// Goes into the next request's context.
    public var context = ""

    public init() {}
}

/// A row left out on purpose.
public struct DroppedRow: Sendable, Equatable {
    public enum Reason: String, Sendable {
        /// The bar is still open.
        case inProgress = "in_progress"
        /// The oracle has not published for longer than allowed.
        case stale
        /// The account does not exist.
        case absent
    }

    public var symbol: String
    public var start: UTCTimestamp?
    public var reason: Reason

    public init(symbol: String, start: UTCTimestamp?, reason: Reason) {
        self.symbol = symbol
        self.start = start
        self.reason = reason
    }
}
