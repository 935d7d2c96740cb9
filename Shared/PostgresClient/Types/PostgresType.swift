/// The object id of a PostgreSQL type, as fixed in its catalogue (`pg_type.dat`).
public struct PostgresType: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
    /// The object id.
    public let rawValue: UInt32

    /// Wraps an object id.
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// The object id in decimal.
    public var description: String { String(rawValue) }

    static let bool = PostgresType(rawValue: 16)
    static let bytea = PostgresType(rawValue: 17)
    static let char = PostgresType(rawValue: 18)
    static let name = PostgresType(rawValue: 19)
    static let int8 = PostgresType(rawValue: 20)
    static let int2 = PostgresType(rawValue: 21)
    static let int4 = PostgresType(rawValue: 23)
    static let regproc = PostgresType(rawValue: 24)
    static let text = PostgresType(rawValue: 25)
    static let oid = PostgresType(rawValue: 26)
    static let xid = PostgresType(rawValue: 28)
    static let json = PostgresType(rawValue: 114)
    static let float4 = PostgresType(rawValue: 700)
    static let float8 = PostgresType(rawValue: 701)
    static let unknown = PostgresType(rawValue: 705)
    static let boolArray = PostgresType(rawValue: 1000)
    static let byteaArray = PostgresType(rawValue: 1001)
    static let int2Array = PostgresType(rawValue: 1005)
    static let int4Array = PostgresType(rawValue: 1007)
    static let textArray = PostgresType(rawValue: 1009)
    static let int8Array = PostgresType(rawValue: 1016)
    static let float4Array = PostgresType(rawValue: 1021)
    static let float8Array = PostgresType(rawValue: 1022)
    static let bpchar = PostgresType(rawValue: 1042)
    static let varchar = PostgresType(rawValue: 1043)
    static let date = PostgresType(rawValue: 1082)
    static let timestamp = PostgresType(rawValue: 1114)
    static let timestamptz = PostgresType(rawValue: 1184)
    static let dateArray = PostgresType(rawValue: 1182)
    static let timestamptzArray = PostgresType(rawValue: 1185)
    static let numericArray = PostgresType(rawValue: 1231)
    static let numeric = PostgresType(rawValue: 1700)
    static let regclass = PostgresType(rawValue: 2205)
    static let uuid = PostgresType(rawValue: 2950)
    static let uuidArray = PostgresType(rawValue: 2951)
    static let jsonb = PostgresType(rawValue: 3802)
    static let jsonbArray = PostgresType(rawValue: 3807)
    static let xid8 = PostgresType(rawValue: 5069)

    /// Types made by CREATE TYPE begin here; an enum's binary form is its label.
    static let firstUserDefined: UInt32 = 16384
}
