import Foundation
import TestSupport
import Testing
import WireFormat

/// The worked examples beside the project; the tests of them skip where they are not there.
enum Scenarios {
    static var isPresent: Bool { SharedFolder.url("rebalance/scenarios.json") != nil }

    static func load(_ id: String) throws -> JSONValue {
        let url = try #require(SharedFolder.url("rebalance/scenarios.json"))
        let document = try StrictJSON.parse(Array(try Data(contentsOf: url)))
        return try #require(document["scenarios"]?.arrayValue?.first { $0["id"]?.stringValue == id })
    }
}

extension JSONValue {
    /// A decimal written as a string or a number.
    func decimal() throws -> FixedDecimal {
        let read: FixedDecimal? =
            if let text = stringValue { FixedDecimal(text) } else { numberValue.flatMap { FixedDecimal($0) } }
        return try #require(read, "\(serialized()) is no decimal")
    }
    func decimal(_ key: String) throws -> FixedDecimal { try #require(self[key], "\(key)").decimal() }
    func double(_ key: String) throws -> Double { try #require(self[key]?.doubleValue, "\(key)") }
    func text(_ key: String) throws -> String { try #require(self[key]?.stringValue, "\(key)") }
    func date(_ key: String) throws -> CalendarDate { try #require(CalendarDate(iso: try text(key))) }
    func list(_ key: String) throws -> [JSONValue] { try #require(self[key]?.arrayValue, "\(key)") }
    func members(_ key: String) throws -> [(key: String, value: JSONValue)] {
        try #require(self[key]?.objectValue?.members, "\(key)")
    }
}

func dec(_ text: String) -> FixedDecimal { FixedDecimal(text) ?? .overflow }
func day(_ text: String) throws -> CalendarDate { try #require(CalendarDate(iso: text)) }
