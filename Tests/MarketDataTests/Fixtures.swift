import Foundation
import MarketData
import TestSupport
import Testing
import WireFormat

/// Recorded answers of `shared/fixtures`, with what a right parser makes of them. Absent in a fresh clone.
struct Fixture: Sendable, CustomTestStringConvertible {
    let source: String
    let expected: JSONValue

    var file: String { expected["file"]?.stringValue ?? "" }
    var testDescription: String { file }

    static func isAvailable(_ source: String) -> Bool { SharedFolder.url("fixtures/\(source)/expected.json") != nil }

    static func cases(_ source: String) -> [Fixture] {
        guard let url = SharedFolder.url("fixtures/\(source)/expected.json"), let data = try? Data(contentsOf: url),
            let document = try? StrictJSON.parse([UInt8](data), limits: .stored),
            let cases = document["cases"]?.arrayValue
        else { return [] }
        return cases.map { Fixture(source: source, expected: $0) }
    }

    func body() throws -> [UInt8] {
        let url = try #require(SharedFolder.url("fixtures/\(source)/\(file)"))
        return [UInt8](try Data(contentsOf: url))
    }

    /// The answer as it would come over HTTP, at the fixture's own clock.
    func answer() throws -> SourceAnswer {
        let now = expected["now"]?.stringValue.flatMap { UTCTimestamp(iso: $0) } ?? Self.lateEnough
        return SourceAnswer(
            status: expected["http"]?["status"]?.intValue ?? 200, body: try body(), now: now,
            retryAfterSeconds: (expected["http"]?["headers"]?["Retry-After"]?.stringValue).flatMap { Int($0) })
    }

    static let lateEnough = UTCTimestamp(secondsSinceEpoch: 1_800_000_000)

    /// Checks class, retry and wait of a failed answer.
    func check(_ failure: SourceFailure) {
        #expect(failure.errorClass.rawValue == expected["error_class"]?.stringValue)
        #expect(failure.errorClass.isRetryable == expected["retryable"]?.boolValue)
        #expect(failure.retryAfterSeconds == expected["retry_after_s"]?.intValue)
    }
}

/// The decimal of an expected figure, from its text.
func decimal(_ value: JSONValue?) -> DecimalNumber? {
    (value?.stringValue ?? value?.numberValue?.text).flatMap { DecimalNumber($0) }
}

func time(_ text: String) throws -> UTCTimestamp { try #require(UTCTimestamp(iso: text)) }

/// A source made from a job's parameters, which must be right.
func source<Source: MarketDataSource>(_ type: Source.Type, _ parameters: JSONValue) throws -> Source {
    try #require(try Sources.make(type, parameters: MemberReader(parameters)) as? Source)
}
