public import WireFormat

/// Pyth's price account on Solana, the Anchor account `PriceUpdateV2` of 134 bytes.
///
/// ```
/// 0 discriminator 8 | 8 write authority 32 | 40 verification: 1 = full, or 0 and u8 signatures | then, little-endian:
/// feed id 32 | price i64 | conf u64 | expo i32 | publish time i64 | previous publish time i64 | ema price i64 | ema conf u64
/// | posted slot u64 | one spare byte when full
/// ```
/// Source: pyth-network/pyth-crosschain, pyth_solana_receiver_sdk, price_update.rs.
public struct PriceUpdateV2: Sendable, Equatable {
    public enum Verification: Sendable, Equatable {
        case full
        case partial(signatures: UInt8)
    }

    public var writeAuthority: String
    public var verification: Verification
    /// Hexadecimal.
    public var feedID: String
    public var rawPrice: Int64
    public var rawConfidence: UInt64
    public var exponent: Int32
    public var publishTime: UTCTimestamp
    public var previousPublishTime: UTCTimestamp
    public var rawEMAPrice: Int64
    public var rawEMAConfidence: UInt64
    public var postedSlot: UInt64

    static let discriminator: [UInt8] = [0x22, 0xf1, 0x23, 0x63, 0x9d, 0x7e, 0xf4, 0xcd]
    static let size = 134

    /// Nil when the bytes are not such an account.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.size, bytes.starts(with: Self.discriminator) else { return nil }
        let reader = LittleEndianReader(bytes)
        let start: Int
        switch bytes[40] {
        case 1: (verification, start) = (.full, 41)
        case 0: (verification, start) = (.partial(signatures: bytes[41]), 42)
        default: return nil
        }
        guard let authority = reader.bytes(at: 8, count: 32), let feed = reader.bytes(at: start, count: 32),
            let price = reader.integer(Int64.self, at: start + 32),
            let confidence = reader.integer(UInt64.self, at: start + 40),
            let exponent = reader.integer(Int32.self, at: start + 48), (-38...38).contains(exponent),
            let published = UTCTimestamp(onChain: reader.integer(Int64.self, at: start + 52)),
            let previous = UTCTimestamp(onChain: reader.integer(Int64.self, at: start + 60)),
            let emaPrice = reader.integer(Int64.self, at: start + 68),
            let emaConfidence = reader.integer(UInt64.self, at: start + 76),
            let slot = reader.integer(UInt64.self, at: start + 84)
        else { return nil }
        writeAuthority = Base58.encode(authority)
        feedID = feed.hexadecimal
        (rawPrice, rawConfidence, self.exponent) = (price, confidence, exponent)
        (publishTime, previousPublishTime) = (published, previous)
        (rawEMAPrice, rawEMAConfidence, postedSlot) = (emaPrice, emaConfidence, slot)
    }

    /// `rawPrice * 10^exponent`, exact.
    public var price: DecimalNumber? { DecimalNumber(rawPrice, exponent: Int(exponent)) }
    public var confidence: DecimalNumber? { DecimalNumber(rawConfidence, exponent: Int(exponent)) }
    public var emaPrice: DecimalNumber? { DecimalNumber(rawEMAPrice, exponent: Int(exponent)) }
    public var emaConfidence: DecimalNumber? { DecimalNumber(rawEMAConfidence, exponent: Int(exponent)) }

    /// The half-width of the confidence interval in basis points of the price; infinite for a price of zero.
    public var confidenceBasisPoints: Double {
        rawPrice == 0 ? .infinity : Double(rawConfidence) / Double(rawPrice.magnitude) * 10_000
    }
}

extension UTCTimestamp {
    /// Seconds since 1970 as accounts carry them; nil beyond the year 9999 either way.
    init?(onChain seconds: Int64?) {
        guard let seconds, seconds.magnitude < 253_402_300_800 else { return nil }
        self.init(secondsSinceEpoch: seconds)
    }
}
