import PostgresClient
import Realtime
import TestSupport
import Testing
import WireFormat

@testable import StoreNotifier

/// PostgreSQL itself says which rows pass.
@Suite("Filters against PostgreSQL", .timeLimit(.minutes(1)))
struct FilterOracleTests {
    static let values: [(type: String, texts: [String])] = [
        ("numeric", ["0", "-1.50", "1.5", "15e-1", "9", "90", "1e30", "NaN", "Infinity", "-Infinity", "0.1"]),
        ("float8", ["0", "-0", "0.1", "1e300", "NaN", "-Infinity", "3"]),
        ("int4", ["0", "-2147483648", "2147483647", "7"]),
        ("text", ["", "a", "A", "aa", "Z", "é", "100%", "a_b", "10"]),
        ("bool", ["true", "false", "t", "off"]),
        (
            "timestamptz",
            [
                "2024-01-02", "2024-01-02T00:00:00Z", "2024-01-02 02:00:00+02", "2024-01-02 00:00:00.000001+00",
                "infinity",
            ]
        ),
        ("date", ["2024-01-02", "2023-12-31"]),
        (
            "uuid",
            [
                "00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-00000000000a",
                "ffffffff-0000-0000-0000-000000000000",
            ]
        ),
    ]
    static let operators = [
        ("eq", "="), ("neq", "<>"), ("lt", "<"), ("lte", "<="), ("gt", ">"), ("gte", ">="),
        ("isdistinct", "IS DISTINCT FROM"),
    ]

    @Test("every comparison of every pair", arguments: values.map(\.type))
    func comparisons(type: String) async throws {
        let pool = try await TestDatabase.createEmpty().adminPool()
        let texts = try #require(Self.values.first { $0.type == type }?.texts)
        let columns = [ChangeColumn(name: "c", type: type)]
        var checked = 0
        for (name, symbol) in Self.operators {
            for not in ["", "not."] {
                for left in texts.map(Optional.some) + [nil] {
                    for right in texts {
                        let comparison = "\(not == "" ? "" : "NOT") (v \(symbol) $2::\(type))"
                        let row = try #require(
                            try await pool.query(
                                """
                                SELECT jsonb_build_object('c', v)::text, coalesce(\(raw: comparison.replacingParameter(right, type)), false)
                                FROM (SELECT \(left as String?)::\(raw: type) AS v) x
                                """
                            ).first)
                        let (json, expected) = try row.decode((String, Bool).self)
                        let filter = try CompiledFilter(
                            ChangeFilter(parsing: "c=\(not)\(name).\"\(right)\""), columns: columns)
                        let object = try #require(try StrictJSON.parse(json.utf8, limits: .stored).objectValue)
                        #expect(filter.matches(object) == expected, "\(json) \(not)\(name) \(right)")
                        checked += 1
                    }
                }
            }
        }
        #expect(checked > 50)
    }

    @Test("LIKE and regular expressions")
    func patterns() async throws {
        let pool = try await TestDatabase.createEmpty().adminPool()
        let texts = ["", "a", "abc", "ABC", "a%c", "a_c", "aXc", "é", "a.b", "line\nbreak", "1234", "foo bar"]
        let patterns: [(name: String, symbol: String, patterns: [String])] = [
            ("like", "LIKE", ["", "a%", "%c", "a_c", "a\\%c", "%b%", "_", "%", "%%a%%"]),
            ("ilike", "ILIKE", ["a%", "%C", "A_c"]),
            (
                "match", "~",
                [
                    "^a", "c$", "a.c", "[a-c]+", "^[^a]+$", "(abc|bar)", "\\d{2,3}", "^\\w+$", "x*", "a\\.b", "o{2}",
                    "^(a|ab)(c|bcd)?$",
                ]
            ),
            ("imatch", "~*", ["^A", "[A-C]{3}", "FOO\\s+BAR"]),
        ]
        for (name, symbol, list) in patterns {
            for pattern in list {
                for text in texts {
                    let row = try #require(
                        try await pool.query("SELECT \(text) \(raw: symbol) \(pattern)").first)
                    let expected = try row.decode(Bool.self, at: 0)
                    let quoted = pattern.replacing("\\", with: "\\\\")
                    let filter = try CompiledFilter(
                        ChangeFilter(parsing: "c=\(name).\"\(quoted)\""),
                        columns: [ChangeColumn(name: "c", type: "text")])
                    #expect(
                        filter.matches(JSONObject([("c", .string(text))])) == expected, "\(text) \(name) \(pattern)")
                }
            }
        }
    }
}

extension String {
    /// A literal in place of `$2`; the values are the test's own.
    fileprivate func replacingParameter(_ value: String, _ type: String) -> String {
        replacing("$2", with: "'\(value)'")
    }
}
