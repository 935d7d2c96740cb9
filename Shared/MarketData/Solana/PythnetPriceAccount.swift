public import WireFormat

/// Pyth's older price account, as Pythnet still has it and Solana's mainnet has it frozen.
///
/// The header's `size` is the full length; a sliced read is shorter and is read all the same.
/// Source: pyth-network/pyth-client, program/c/src/oracle/oracle.h, `pc_price_t`.
public struct PythnetPriceAccount: Sendable, Equatable {
    public var version: UInt32
    public var accountType: UInt32
    public var size: UInt32
    public var exponent: Int32
    public var componentPrices: UInt32
    public var quoters: UInt32
    public var lastSlot: UInt64
    public var validSlot: UInt64
    public var rawEMAPrice: Int64
    public var rawEMAConfidence: Int64
    public var timestamp: UTCTimestamp
    public var minimumPublishers: UInt8
    /// Slots after which the price is unknown.
    public var maximumLatency: UInt8
    public var productAccount: String
    public var previousSlot: UInt64
    public var rawPreviousPrice: Int64
    public var rawPreviousConfidence: UInt64
    public var rawPrice: Int64
    public var rawConfidence: UInt64
    public var isTrading: Bool
    public var publishedSlot: UInt64

    private static let magic: UInt32 = 0xa1b2_c3d4
    private static let priceType: UInt32 = 3

    /// Nil when the bytes are not such an account.
    public init?(_ bytes: [UInt8]) {
        let reader = LittleEndianReader(bytes)
        func u32(_ offset: Int) -> UInt32? { reader.integer(UInt32.self, at: offset) }
        func u64(_ offset: Int) -> UInt64? { reader.integer(UInt64.self, at: offset) }
        func i64(_ offset: Int) -> Int64? { reader.integer(Int64.self, at: offset) }
        guard u32(0) == Self.magic, u32(8) == Self.priceType, let version = u32(4), let size = u32(12),
            let exponent = reader.integer(Int32.self, at: 20), (-38...38).contains(exponent), let components = u32(24),
            let quoters = u32(28), let lastSlot = u64(32), let validSlot = u64(40), let emaPrice = i64(48),
            let emaConfidence = i64(72), let timestamp = UTCTimestamp(onChain: i64(96)),
            let minimum = reader.integer(UInt8.self, at: 104), let latency = reader.integer(UInt8.self, at: 106),
            let product = reader.bytes(at: 112, count: 32), let previousSlot = u64(176), let previousPrice = i64(184),
            let previousConfidence = u64(192), let price = i64(208), let confidence = u64(216), let status = u32(224),
            let publishedSlot = u64(232)
        else { return nil }
        (self.version, accountType, self.size, self.exponent) = (version, Self.priceType, size, exponent)
        (componentPrices, self.quoters, self.lastSlot, self.validSlot) = (components, quoters, lastSlot, validSlot)
        (rawEMAPrice, rawEMAConfidence, self.timestamp) = (emaPrice, emaConfidence, timestamp)
        (minimumPublishers, maximumLatency) = (minimum, latency == 0 ? 25 : latency)
        productAccount = Base58.encode(product)
        (self.previousSlot, rawPreviousPrice, rawPreviousConfidence) = (previousSlot, previousPrice, previousConfidence)
        (rawPrice, rawConfidence, isTrading, self.publishedSlot) = (price, confidence, status == 1, publishedSlot)
    }

    /// The aggregate price if it is known at `slot`: trading, and published within the latency.
    public func price(atSlot slot: UInt64) -> DecimalNumber? {
        guard isTrading, slot <= publishedSlot + UInt64(maximumLatency) else { return nil }
        return decimal(rawPrice)
    }

    /// A raw price or confidence of this account, exact.
    public func decimal(_ raw: some BinaryInteger) -> DecimalNumber? {
        Int64(exactly: raw).flatMap { DecimalNumber($0, exponent: Int(exponent)) }
    }
}
