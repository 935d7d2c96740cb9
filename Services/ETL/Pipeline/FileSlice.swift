import Crypto
import Foundation

/// Reads files in pieces.
enum FileSlice {
    /// Up to `length` bytes from `offset` on, and whether the file ends there.
    static func read(_ path: String, offset: Int, length: Int) throws -> (bytes: [UInt8], isLast: Bool) {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        try handle.seek(toOffset: UInt64(offset))
        var bytes: [UInt8] = []
        // One byte more tells whether there is more.
        while bytes.count <= length, let piece = try handle.read(upToCount: length + 1 - bytes.count), !piece.isEmpty {
            bytes += piece
        }
        guard bytes.count > length else { return (bytes, true) }
        return (Array(bytes.prefix(length)), false)
    }

    /// SHA-256 of a file's bytes, hexadecimal: a file's checkpoint.
    static func digest(_ path: String) throws -> String {
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? handle.close() }
        var hash = SHA256()
        while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hash.update(data: piece) }
        return hash.finalize().map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count == 1 ? "0" + text : text
        }.joined()
    }
}
