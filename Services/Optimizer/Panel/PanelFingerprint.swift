import Crypto
import LinearAlgebra
import WireFormat

/// SHA-256 over everything a result depends on besides its request: names, dates and the figures, bit by bit.
struct PanelFingerprint: Sendable, Hashable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The fingerprint of a panel of prices or returns.
    init(kind: String, assets: [String], dates: [CalendarDate], values: Matrix) {
        var hash = SHA256()
        var head: [UInt8] = Array("ballast-panel-1 \(kind) \(dates.count) \(assets.count)\n".utf8)
        for asset in assets { head += Array("\(asset.utf8.count):\(asset)\n".utf8) }
        hash.update(data: head)
        var block: [UInt8] = []
        block.reserveCapacity(8 * (dates.count + values.storage.count))
        func append(_ word: UInt64) {
            for shift in stride(from: 0, to: 64, by: 8) { block.append(UInt8(truncatingIfNeeded: word >> UInt64(shift))) }
        }
        for date in dates { append(UInt64(bitPattern: Int64(date.daysSinceEpoch))) }
        for value in values.storage { append(value.bitPattern) }
        hash.update(data: block)
        bytes = Array(hash.finalize())
    }

    /// 64 lower-case hexadecimal digits.
    var hex: String { Hex.text(bytes) }
}

/// Lower-case hexadecimal.
enum Hex {
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var out: [UInt8] = []
        for byte in bytes {
            out.append(digits[Int(byte >> 4)])
            out.append(digits[Int(byte & 15)])
        }
        return String(decoding: out, as: UTF8.self)
    }
}
