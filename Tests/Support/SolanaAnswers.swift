private import Foundation

/// The bytes of a `PriceUpdateV2` account, made field by field.
public struct PriceAccountBytes: Sendable {
    public var authority = [UInt8](repeating: 7, count: 32)
    /// Nil = full verification.
    public var signatures: UInt8?
    public var feed = [UInt8](repeating: 0xef, count: 32)
    public var price: Int64 = 10_259_321_149
    public var confidence: UInt64 = 1_384_501
    public var exponent: Int32 = -8
    public var publishTime: Int64 = 1_700_000_000
    public var slot: UInt64 = 990

    public init() {}

    public var bytes: [UInt8] {
        var bytes: [UInt8] = [0x22, 0xf1, 0x23, 0x63, 0x9d, 0x7e, 0xf4, 0xcd] + authority
        bytes += signatures.map { [0, $0] } ?? [1]
        bytes += feed
        append(price, to: &bytes)
        append(confidence, to: &bytes)
        append(exponent, to: &bytes)
        append(publishTime, to: &bytes)
        append(publishTime == .max ? publishTime : publishTime - 1, to: &bytes)
        append(price, to: &bytes)
        append(confidence, to: &bytes)
        append(slot, to: &bytes)
        if signatures == nil { bytes.append(0) }
        return bytes
    }
}

private func append<Value: FixedWidthInteger>(_ value: Value, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
}

/// JSON texts that a Solana node answers.
public enum SolanaAnswers {
    public static func multipleAccounts(slot: Int, _ accounts: [String]) -> String {
        """
        {"jsonrpc":"2.0","result":{"context":{"apiVersion":"2.1.11","slot":\(slot)},"value":[\(accounts.joined(separator: ","))]},"id":1}
        """
    }

    public static func account(
        _ bytes: [UInt8], owner: String = "rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp"
    ) -> String {
        """
        {"lamports":1823520,"data":["\(Data(bytes).base64EncodedString())","base64"],"owner":"\(owner)","executable":false,\
        "rentEpoch":18446744073709551615,"space":\(bytes.count)}
        """
    }

    public static func clock(time: Int64, slot: UInt64 = 1_000) -> String {
        var bytes: [UInt8] = []
        append(slot, to: &bytes)
        append(time - 1_000, to: &bytes)
        append(UInt64(738), to: &bytes)
        append(UInt64(739), to: &bytes)
        append(time, to: &bytes)
        return account(bytes, owner: "Sysvar1111111111111111111111111111111111111")
    }
}
