import Foundation
import MarketData
import WireFormat

/// The bytes of a `PriceUpdateV2` account, made field by field.
struct PriceAccountBytes {
    var authority = [UInt8](repeating: 7, count: 32)
    /// Nil = full verification.
    var signatures: UInt8?
    var feed = [UInt8](repeating: 0xef, count: 32)
    var price: Int64 = 10_259_321_149
    var confidence: UInt64 = 1_384_501
    var exponent: Int32 = -8
    var publishTime: Int64 = 1_700_000_000
    var slot: UInt64 = 990

    var bytes: [UInt8] {
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

/// Answers of a Solana node.
enum RPCAnswer {
    static func multipleAccounts(slot: Int, _ accounts: [JSONValue]) -> JSONValue {
        [
            "jsonrpc": "2.0", "id": 1,
            "result": ["context": ["apiVersion": "2.1.11", "slot": JSONValue(slot)], "value": .array(accounts)],
        ]
    }

    static func account(_ bytes: [UInt8], owner: String = "rec2HHDDnjLfj4kE7VyEtFA1HPGQLK33259532cRyHp") -> JSONValue {
        [
            "lamports": 1_823_520, "data": [.string(Data(bytes).base64EncodedString()), "base64"],
            "owner": .string(owner),
            "executable": false, "rentEpoch": .number(JSONNumber(decimal: "18446744073709551615") ?? JSONNumber(0)),
            "space": JSONValue(bytes.count),
        ]
    }

    static func clock(time: Int64, slot: UInt64 = 1_000) -> JSONValue {
        var bytes: [UInt8] = []
        append(slot, to: &bytes)
        append(time - 1_000, to: &bytes)
        append(UInt64(738), to: &bytes)
        append(UInt64(739), to: &bytes)
        append(time, to: &bytes)
        return account(bytes, owner: "Sysvar1111111111111111111111111111111111111")
    }
}
