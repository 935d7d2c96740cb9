import Foundation
import PostgresClient
import TestSupport
import Testing

/// Values go to a real server and come back; the server's own text form is the judge where there is one.
@Suite struct `Values round trip` {
    /// One session for a test.
    private func connection() async throws -> PostgresConnection {
        try await PostgresConnection.connect(
            PostgresConfiguration(url: try await TestPostgres.shared.adminURL), logger: TestPostgres.logger)
    }

    private func roundTrip<T: PostgresCodable & Equatable>(
        _ values: [T], on connection: PostgresConnection, _ location: SourceLocation = #_sourceLocation
    ) async throws {
        for chunk in stride(from: 0, to: values.count, by: 100).map({ values[$0..<min($0 + 100, values.count)] }) {
            let results = try await connection.pipeline(chunk.map { "SELECT \($0)" })
            for (value, rows) in zip(chunk, results) {
                let read = try #require(rows.first).decode(T.self, at: 0)
                #expect(read == value, sourceLocation: location)
            }
        }
        let null = try await connection.query("SELECT \(nil as T?)")
        #expect(try null[0].decode(T?.self, at: 0) == nil, sourceLocation: location)
        #expect(throws: PostgresError.self, sourceLocation: location) { try null[0].decode(T.self, at: 0) }
    }

    @Test func `integers, booleans and bytes`() async throws {
        let connection = try await connection()
        var generator = SplitMix64(seed: 1)
        try await roundTrip(
            [Int.min, -1, 0, 1, .max] + (0..<300).map { _ in Int.random(in: .min ... .max, using: &generator) },
            on: connection)
        try await roundTrip(
            [Int64.min, .max] + (0..<100).map { _ in Int64.random(in: .min ... .max, using: &generator) },
            on: connection)
        try await roundTrip([Int32.min, -1, 0, .max], on: connection)
        try await roundTrip([Int16.min, -1, 0, .max], on: connection)
        try await roundTrip([true, false], on: connection)
        try await roundTrip(
            (0..<100).map { count in (0..<count * 7).map { _ in UInt8.random(in: 0...255, using: &generator) } },
            on: connection)
    }

    @Test func `doubles keep every bit`() async throws {
        let connection = try await connection()
        var generator = SplitMix64(seed: 2)
        let doubles =
            [0, -0.0, 1.5, .infinity, -.infinity, .leastNonzeroMagnitude, .greatestFiniteMagnitude, 0.1]
            + (0..<400).map { _ in Double(bitPattern: UInt64.random(in: .min ... .max, using: &generator)) }.filter {
                !$0.isNaN
            }
        try await roundTrip(doubles, on: connection)
        let minusZero = try await connection.query("SELECT \(-0.0)")[0].decode(Double.self, at: 0)
        #expect(minusZero.sign == .minus)
        let nan = try await connection.query("SELECT \(Double.nan)")[0].decode(Double.self, at: 0)
        #expect(nan.isNaN)
        try await roundTrip([Float(1.25), -.infinity, .leastNonzeroMagnitude], on: connection)
    }

    @Test func `text of any script, empty and long`() async throws {
        let connection = try await connection()
        var generator = SplitMix64(seed: 3)
        let scalars = (0..<200).map { _ -> String in
            let length = Int.random(in: 0...60, using: &generator)
            return String(
                String.UnicodeScalarView(
                    (0..<length).compactMap { _ in Unicode.Scalar(UInt32.random(in: 1...0x10FFFF, using: &generator)) })
            )
        }
        try await roundTrip(
            ["", "'; DROP TABLE x; --", "$1", "\\", "日本語 😀", String(repeating: "x", count: 1 << 20)] + scalars,
            on: connection)
        // A NUL character is no text for PostgreSQL: an error, not a cut.
        let error = await #expect(throws: PostgresError.self) { try await connection.query("SELECT \("a\u{0}b")") }
        #expect(error?.sqlState == SQLState(rawValue: "22021"))
    }

    @Test func `numerics keep every digit, as the server prints them`() async throws {
        let connection = try await connection()
        var generator = SplitMix64(seed: 4)
        let fixed = [
            "0", "0.0", "0.000000", "1", "-1", "10000", "9999", "10001", "0.0001", "0.00001", "-0.1",
            "123456789.987654321", "100000000",
            "1e10", "1E-10", "-12.3400", "+5", "000123.4500", ".5", "5.",
            "99999999999999999999999999999999.99999999999999999999",
            "1e300", "1e-300",
        ]
        let random = (0..<500).map { _ -> String in
            let whole = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                String(Int.random(in: 0...9, using: &generator))
            }
            let part = (0..<Int.random(in: 0...30, using: &generator)).map { _ in
                String(Int.random(in: 0...9, using: &generator) * Int.random(in: 0...1, using: &generator))
            }
            return (Bool.random(using: &generator) ? "-" : "") + "0" + whole.joined()
                + (part.isEmpty ? "" : "." + part.joined())
        }
        let values = try (fixed + random).map { try #require(PostgresNumeric($0)) }
        try await roundTrip(values, on: connection)
        // Both codecs could be wrong alike: the server's text says what it understood, and its own binary form is read back from text.
        for chunk in stride(from: 0, to: values.count, by: 100).map({ values[$0..<min($0 + 100, values.count)] }) {
            let printed = try await connection.pipeline(chunk.map { "SELECT (\($0))::text, (\($0.text))::numeric" })
            for (value, rows) in zip(chunk, printed) {
                let (text, read) = try rows[0].decode((String, PostgresNumeric).self)
                #expect(text == value.text)
                #expect(read == value)
                // As a double it is what its text is, rounded once.
                let double = try rows[0].decode((String, Double).self).1
                #expect(double == Double(value.text), "\(value.text)")
            }
        }
    }

    @Test("a decimal becomes the nearest double, of prices without their text")
    func nearestDouble() throws {
        var generator = SplitMix64(seed: 41)
        for _ in 0..<200_000 {
            let digits = Int.random(in: 1...19, using: &generator)
            let whole = UInt64.random(
                in: 0..<(digits == 19 ? 10_000_000_000_000_000_000 : Self.power(digits)), using: &generator)
            let exponent = Int.random(in: -30...30, using: &generator)
            let value = try #require(
                PostgresNumeric("\(Bool.random(using: &generator) ? "-" : "")\(whole)e\(exponent)"))
            var bytes: [UInt8] = []
            value.encode(into: &bytes)
            let double = try Double.decode(bytes.span.bytes, as: PostgresNumeric.postgresType)
            #expect(double == Double(value.text), "\(value.text)")
        }
    }

    private static func power(_ digits: Int) -> UInt64 { (0..<digits).reduce(1) { value, _ in value * 10 } }

    @Test(arguments: ["NaN", "Infinity", "-Infinity"]) func `numerics that are no numbers are refused`(
        text: String
    ) async throws {
        #expect(PostgresNumeric(text) == nil)
        let row = try await connection().query("SELECT (\(text))::numeric")[0]
        let error = #expect(throws: PostgresError.self) { try row.decode(PostgresNumeric.self, at: 0) }
        #expect(error?.kind == .decoding)
    }

    @Test(arguments: ["", "-", ".", "1e", "e5", "1.2.3", "0x10", "1 ", "١٢", "1e999999999", "--1"])
    func `what is no decimal number is nil`(text: String) {
        #expect(PostgresNumeric(text) == nil)
    }

    @Test func `moments, dates and identifiers`() async throws {
        let connection = try await connection()
        var generator = SplitMix64(seed: 5)
        // From the year -4712 to 294276 is what timestamptz holds; 4713 BC = -210866803200 s.
        try await roundTrip(
            [.infinity, .negativeInfinity, .init(microsecondsSinceEpoch: 0), .init(microsecondsSinceEpoch: -1)]
                + (0..<300).map { _ in
                    PostgresTimestamp(
                        microsecondsSinceEpoch: .random(
                            in: -200_000_000_000_000_000...9_000_000_000_000_000_000, using: &generator))
                }, on: connection)
        try await roundTrip(
            [.infinity, .negativeInfinity, .init(daysSinceEpoch: 0)]
                + (0..<300).map { _ in
                    PostgresDate(daysSinceEpoch: .random(in: -2_440_000...1_000_000, using: &generator))
                }, on: connection)
        try await roundTrip((0..<100).map { _ in UUID() }, on: connection)
        try await roundTrip(
            [Date(timeIntervalSince1970: 1_700_000_000.25), Date(timeIntervalSince1970: -1)], on: connection)
        let row = try await connection.query(
            """
            SELECT '2022-06-09T01:02:03.000004Z'::timestamptz, '2022-06-09'::date, 'infinity'::date,
                   '00000000-0000-0000-0000-000000000001'::uuid
            """)[0]
        let (at, date, never, id) = try row.decode((PostgresTimestamp, PostgresDate, PostgresDate, UUID).self)
        #expect(at.microsecondsSinceEpoch == 1_654_736_523_000_004)
        #expect(date.daysSinceEpoch == 19152)
        #expect(never == .infinity)
        #expect(id.uuidString == "00000000-0000-0000-0000-000000000001")
    }

    @Test func `documents and arrays, with nulls and without elements`() async throws {
        let connection = try await connection()
        let document = PostgresJSON(#"{"a": [1, 2.50, null], "ü": "x"}"#)
        try await roundTrip([document], on: connection)
        #expect(try await connection.query("SELECT '[1]'::json")[0].decode(PostgresJSON.self, at: 0).text == "[1]")
        try await roundTrip([[], ["a", "", "c,d", #""{}"#]], on: connection)
        try await roundTrip([[1, -2, .max], [Int64]()], on: connection)
        try await roundTrip([[1.5, -.infinity]], on: connection)
        try await roundTrip([[true, false]], on: connection)
        try await roundTrip([["a", nil, "b"], [nil]] as [[String?]], on: connection)
        try await roundTrip([try ["1.10", "-2"].map { try #require(PostgresNumeric($0)) }], on: connection)
        try await roundTrip([[PostgresTimestamp(microsecondsSinceEpoch: 5)]], on: connection)
        try await roundTrip([[PostgresDate(daysSinceEpoch: 5)]], on: connection)
        try await roundTrip([[UUID(), UUID()]], on: connection)
        try await roundTrip([[document, document]], on: connection)
        try await roundTrip([[[1, 2], []]] as [[[UInt8]]], on: connection)
        let error = await #expect(throws: PostgresError.self) {
            try await connection.query("SELECT ARRAY[[1,2],[3,4]]::int8[]")[0].decode([Int].self, at: 0)
        }
        #expect(error?.kind == .decoding)
    }

    @Test func `other types are refused, not converted`() async throws {
        let row = try await connection().query("SELECT 'x'::text AS a, 5::int8 AS b, 300::int4 AS c")[0]
        #expect(throws: PostgresError.self) { try row.decode(Int.self, at: 0) }
        #expect(throws: PostgresError.self) { try row.decode(String.self, named: "b") }
        #expect(throws: PostgresError.self) { try row.decode(String.self, named: "missing") }
        #expect(throws: PostgresError.self) { try row.decode(String.self, at: 3) }
        #expect(throws: PostgresError.self) { try row.decode((String, Int).self) }
        #expect(try row.decode(Int.self, named: "c") == 300)
        let (text, wideInteger, integer) = try row.decode((String, Int64, Int32).self)
        #expect(text == "x" && wideInteger == 5 && integer == 300)
        let wide = try await connection().query("SELECT 70000::int4")[0]
        #expect(throws: PostgresError.self) { try wide.decode(Int16.self, at: 0) }
    }
}
