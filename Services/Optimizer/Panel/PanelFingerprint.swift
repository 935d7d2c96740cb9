import Crypto
import PortfolioModels

/// SHA-256 over everything a result depends on besides its request: names, dates and the figures, bit by bit.
struct PanelFingerprint: Sendable, Hashable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// The fingerprint of a panel.
    init(_ panel: ReturnPanel) {
        var hash = SHA256()
        hash.update(data: Array("ballast-panel-1 \(panel.observations) \(panel.assets.count)\n".utf8))
        hash.update(data: panel.canonicalBytes)
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
