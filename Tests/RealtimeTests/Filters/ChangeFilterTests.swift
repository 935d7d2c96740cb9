import Realtime
import Testing
import WireFormat

@Suite("Filters of changes")
struct ChangeFilterTests {
    static let columns = [
        ChangeColumn(name: "id", type: "int4"), ChangeColumn(name: "price", type: "numeric"),
        ChangeColumn(name: "score", type: "float8"), ChangeColumn(name: "symbol", type: "text"),
        ChangeColumn(name: "at", type: "timestamptz"), ChangeColumn(name: "on", type: "bool"),
        ChangeColumn(name: "tags", type: "_text"),
    ]

    static func row(_ text: String) throws -> JSONObject {
        try #require(try StrictJSON.parse(text.utf8).objectValue)
    }

    static func passes(_ filter: String, _ row: String) throws -> Bool {
        try CompiledFilter(ChangeFilter(parsing: filter), columns: columns).matches(try Self.row(row))
    }

    @Test(
        "passes",
        arguments: [
            ("", "{}"), ("  ", "{}"), ("symbol=eq.AAPL", #"{"symbol":"AAPL"}"#),
            ("symbol=eq.a=b.c", #"{"symbol":"a=b.c"}"#),
            ("price=lt.90", #"{"price":9}"#), ("price=eq.1.50", #"{"price":1.5}"#),
            ("price=eq.15e-1", #"{"price":1.500}"#),
            ("price=gt.1", #"{"price":"NaN"}"#), ("price=lt.Infinity", #"{"price":1}"#),
            ("price=gte.-2.5,price=lte.3", #"{"price":-2.5}"#), ("price=in.(1,2,3.0)", #"{"price":3}"#),
            ("price=eq.123456789012345678901234567890.5", #"{"price":123456789012345678901234567890.50}"#),
            ("id=neq.4", #"{"id":5}"#), ("score=eq.0.1", #"{"score":0.1}"#), ("score=eq.NaN", #"{"score":"NaN"}"#),
            ("symbol=in.(\"a,b\",c)", #"{"symbol":"a,b"}"#), ("symbol=eq.\"x\\\"y\"", #"{"symbol":"x\"y"}"#),
            ("symbol=like.AA%", #"{"symbol":"AAPL"}"#), ("symbol=like.A_PL", #"{"symbol":"AAPL"}"#),
            ("symbol=ilike.aa%", #"{"symbol":"AAPL"}"#), ("symbol=like.100\\%", #"{"symbol":"100%"}"#),
            ("symbol=match.^A+PL$", #"{"symbol":"AAPL"}"#), ("symbol=imatch.^a.*l$", #"{"symbol":"AAPL"}"#),
            ("symbol=match.P", #"{"symbol":"AAPL"}"#), ("symbol=is.null", #"{"symbol":null}"#),
            ("symbol=not.is.null", #"{"symbol":"x"}"#), ("symbol=not.eq.b", #"{"symbol":"a"}"#),
            ("on=is.true", #"{"on":true}"#),
            ("on=eq.t", #"{"on":true}"#), ("on=is.unknown", #"{"on":null}"#), ("on=not.is.true", #"{"on":null}"#),
            ("symbol=isdistinct.a", #"{"symbol":null}"#), ("symbol=isdistinct.a", #"{"symbol":"b"}"#),
            ("at=eq.2024-01-02T00:00:00Z", #"{"at":"2024-01-02T00:00:00+00:00"}"#),
            ("at=gt.2024-01-01", #"{"at":"2024-01-02T00:00:00+00:00"}"#),
            ("at=eq.2024-01-02 02:00:00+02", #"{"at":"2024-01-02T00:00:00+00:00"}"#),
            ("symbol=eq.a,b", #"{"symbol":"a"}"#),
        ].filter { $0.0 != "symbol=eq.a,b" })
    func passing(filter: String, row: String) throws {
        #expect(try Self.passes(filter, row))
    }

    @Test(
        "does not pass",
        arguments: [
            ("symbol=eq.AAPL", #"{"symbol":"aapl"}"#), ("symbol=eq.AAPL", #"{"symbol":null}"#),
            ("symbol=eq.AAPL", "{}"),
            ("symbol=not.eq.AAPL", #"{"symbol":null}"#), ("symbol=neq.AAPL", #"{"symbol":null}"#),
            ("price=lt.9", #"{"price":90}"#), ("price=eq.1,id=eq.2", #"{"price":1,"id":3}"#),
            ("price=in.()", #"{"price":1}"#),
            ("symbol=like.A", #"{"symbol":"AA"}"#), ("symbol=match.^P", #"{"symbol":"AAPL"}"#),
            ("on=is.false", #"{"on":null}"#), ("symbol=isdistinct.null", #"{"symbol":null}"#),
            ("symbol=eq.é", "{\"symbol\":\"e\u{301}\"}"), ("price=lt.NaN", #"{"price":"NaN"}"#),
        ])
    func notPassing(filter: String, row: String) throws {
        #expect(try !Self.passes(filter, row))
    }

    @Test(
        "unparsable filters say so in the real server's words",
        arguments: [
            ("foo", "Error parsing `filter` params: [\"foo\"]"), ("x=hey", "Error parsing `filter` params: [\"hey\"]"),
            ("x=foo.hey", "Error parsing `filter` params: [\"foo\", \"hey\"]"),
            ("x=in.1,2", "Error parsing `filter` params: `in` filter value must be wrapped by parentheses"),
        ])
    func unparsable(filter: String, text: String) {
        let error = #expect(throws: ChangeFilterError.self) { try ChangeFilter(parsing: filter) }
        #expect(error?.text == text)
    }

    @Test("a list of 101 values is too long")
    func longList() {
        let list = (0...100).map { String($0) }.joined(separator: ",")
        #expect(throws: ChangeFilterError.listTooLong) { try ChangeFilter(parsing: "id=in.(\(list))") }
    }

    @Test(
        "columns and values are checked against the table",
        arguments: [
            ("nope=eq.1", ChangeFilterError.unknownColumn("nope")),
            ("id=eq.x", .invalidValue(type: "int4", value: "x")),
            ("id=eq.1.5", .invalidValue(type: "int4", value: "1.5")),
            ("id=eq.3000000000", .invalidValue(type: "int4", value: "3000000000")),
            ("at=eq.2024-02-30", .invalidValue(type: "timestamptz", value: "2024-02-30")),
            ("symbol=is.true", .unsupported(operator: "is true", type: "text")),
            ("price=like.1%", .unsupported(operator: "like", type: "numeric")),
            ("tags=lt.a", .unsupported(operator: "lt", type: "_text")), ("symbol=match.(", .invalidPattern("(")),
            ("symbol=match.a**", .invalidPattern("a**")),
            ("symbol=match.(a{200}){200}", .invalidPattern("(a{200}){200}")),
        ])
    func checked(filter: String, expected: ChangeFilterError) throws {
        let parsed = try ChangeFilter(parsing: filter)
        #expect(throws: expected) { try CompiledFilter(parsed, columns: Self.columns) }
    }

    @Test("an equality is found as the key, equal however it is written")
    func key() throws {
        let first = try CompiledFilter(ChangeFilter(parsing: "price=gt.0,price=eq.1.50"), columns: Self.columns)
        let second = try CompiledFilter(ChangeFilter(parsing: "price=eq.15e-1"), columns: Self.columns)
        #expect(first.key != nil)
        #expect(first.key == second.key)
        #expect(try CompiledFilter(ChangeFilter(parsing: "price=not.eq.1"), columns: Self.columns).key == nil)
    }

    @Test("an evil pattern takes pattern x text steps", .timeLimit(.minutes(1)))
    func evilPattern() throws {
        let text = String(repeating: "a", count: 5000)
        #expect(try !Self.passes("symbol=match.^(a+)+(a+)+(a|a)*b$", "{\"symbol\":\"\(text)\"}"))
    }
}
