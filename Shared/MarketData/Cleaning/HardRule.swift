public import WireFormat

/// Why a row is kept aside. The raw values are stored in `ballast.quarantine.rule` and never change meaning.
public enum HardRule: String, Sendable, CaseIterable {
    case badSymbol = "bad_symbol"
    case badTimestamp = "bad_timestamp"
    case offGrid = "off_grid"
    case inFuture = "in_future"
    case priceNotANumber = "price_not_a_number"
    case priceNotFinite = "price_not_finite"
    case priceNotPositive = "price_not_positive"
    case badRange = "bad_range"
    case badVolume = "bad_volume"
    case badReturn = "bad_return"
    case badInterval = "bad_interval"
    case wrongColumnCount = "wrong_column_count"
    case wrongOwner = "wrong_owner"
    case wrongAccountForm = "wrong_account_form"
    case wrongFeed = "wrong_feed"
    case partialVerification = "partial_verification"
    case confidenceTooWide = "confidence_too_wide"
}

/// A row that broke a rule, as it came.
public struct QuarantinedRow: Sendable, Equatable {
    public var symbol: String?
    public var start: UTCTimestamp?
    public var rule: HardRule
    public var raw: JSONValue
    /// The line of a file, where there is one.
    public var line: Int?

    public init(symbol: String?, start: UTCTimestamp?, rule: HardRule, raw: JSONValue, line: Int? = nil) {
        self.symbol = symbol
        self.start = start
        self.rule = rule
        self.raw = raw
        self.line = line
    }
}
