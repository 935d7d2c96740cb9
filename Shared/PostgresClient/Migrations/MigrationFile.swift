import Crypto
import Foundation

/// One migration: `0001_foundation.sql` is version 1, name `foundation`.
struct MigrationFile: Sendable, Equatable {
    let version: Int
    let name: String
    let script: String
    /// SHA-256 over the file's bytes as they are, line ends included, in hexadecimal.
    let checksum: String

    /// Nil when the file's name is not four digits, an underscore, a name and `.sql`.
    init?(fileName: String, bytes: Data) {
        guard fileName.hasSuffix(".sql") else { return nil }
        let stem = fileName.dropLast(4)
        let digits = stem.prefix { $0.isASCII && $0.isNumber }
        let name = stem.dropFirst(5)
        guard digits.count == 4, stem.dropFirst(4).first == "_", !name.isEmpty, let version = Int(digits), version > 0,
            let script = String(data: bytes, encoding: .utf8)
        else { return nil }
        self.version = version
        self.name = String(name)
        self.script = script
        checksum = SHA256.hash(data: bytes).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// The migrations of a directory in order: numbered from 1 without a gap. Files that don't end in `.sql` are left alone.
    static func all(in directory: URL) throws(MigrationError) -> [MigrationFile] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }
                .sorted()
        } catch {
            throw .unreadable(path: directory.path)
        }
        var files: [MigrationFile] = []
        for name in names {
            guard let bytes = FileManager.default.contents(atPath: directory.appendingPathComponent(name).path) else {
                throw .unreadable(path: name)
            }
            guard let file = MigrationFile(fileName: name, bytes: bytes) else { throw .malformedFile(name: name) }
            guard file.version == files.count + 1 else { throw .gap(expected: files.count + 1, found: file.version) }
            files.append(file)
        }
        guard !files.isEmpty else { throw .unreadable(path: directory.path) }
        return files
    }
}
