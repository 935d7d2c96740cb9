/// A jsonb or json value as its text; parsing is the caller's business.
public struct PostgresJSON: Sendable, Hashable {
    /// The JSON text.
    public let text: String

    /// Wraps JSON text; the server checks it.
    public init(_ text: String) {
        self.text = text
    }
}

extension PostgresJSON: PostgresEncodable, PostgresDecodable {
    /// jsonb
    public static var postgresType: PostgresType { .jsonb }

    /// Format version 1, then the text.
    public func encode(into bytes: inout [UInt8]) {
        bytes.append(1)
        bytes.append(contentsOf: text.utf8)
    }

    /// Reads jsonb and json.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> PostgresJSON {
        switch type {
        case .json: return PostgresJSON(bytes.text)
        case .jsonb:
            guard try bytes.integer(UInt8.self) == 1 else { throw .malformed(PostgresJSON.self, "unknown version") }
            return PostgresJSON(bytes.withUnsafeBytes { String(decoding: $0.dropFirst(), as: UTF8.self) })
        default: throw .mismatch(PostgresJSON.self, type)
        }
    }
}
