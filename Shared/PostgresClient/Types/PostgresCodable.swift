/// A value that can be bound to a parameter, always in PostgreSQL's binary format.
public protocol PostgresEncodable: Sendable {
    /// The type that the parameter is declared as.
    static var postgresType: PostgresType { get }
    /// True for NULL; `encode(into:)` is then not called.
    var isNull: Bool { get }
    /// Appends the value's binary form, without a length.
    func encode(into bytes: inout [UInt8])
}

extension PostgresEncodable {
    /// Not NULL.
    public var isNull: Bool { false }
}

/// A value that can be read from a column sent in PostgreSQL's binary format.
public protocol PostgresDecodable: Sendable {
    /// Reads the value from the bytes of a column of the given type.
    ///
    /// - Throws: `.decoding` when the type or the bytes do not fit; nothing is converted silently.
    static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Self
    /// The value for NULL; throws unless the type can hold it.
    static func decodeNull() throws(PostgresError) -> Self
}

extension PostgresDecodable {
    /// Refuses NULL.
    public static func decodeNull() throws(PostgresError) -> Self {
        throw PostgresError(.decoding, "NULL where \(Self.self) was expected")
    }
}

/// Both ways.
public typealias PostgresCodable = PostgresEncodable & PostgresDecodable

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The wrapped type.
    public static var postgresType: PostgresType { Wrapped.postgresType }
    /// True for nil.
    public var isNull: Bool {
        switch self {
        case .none: true
        case .some(let value): value.isNull
        }
    }
    /// Appends the wrapped value.
    public func encode(into bytes: inout [UInt8]) {
        self?.encode(into: &bytes)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// Reads the wrapped value.
    public static func decode(_ bytes: RawSpan, as type: PostgresType) throws(PostgresError) -> Wrapped? {
        try Wrapped.decode(bytes, as: type)
    }
    /// nil.
    public static func decodeNull() throws(PostgresError) -> Wrapped? { nil }
}

extension PostgresError {
    static func mismatch<T>(_ swift: T.Type, _ type: PostgresType) -> PostgresError {
        PostgresError(.decoding, "a column of type \(type) is not a \(swift)")
    }
    static func malformed<T>(_ swift: T.Type, _ reason: String) -> PostgresError {
        PostgresError(.decoding, "not a \(swift): \(reason)")
    }
}
