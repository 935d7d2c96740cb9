import Realtime
import Testing
import WireFormat

@Suite("Data of a change")
struct ChangeDataTests {
    static func change(_ kind: ChangeKind, record: String?, old: String?) -> ChangeRecord {
        ChangeRecord(
            schema: "public", table: "market_data", kind: kind,
            commitTimestamp: UTCTimestamp(microsecondsSinceEpoch: 1_700_000_000_500_000), tenant: nil,
            columns: [ChangeColumn(name: "asset_symbol", type: "text"), ChangeColumn(name: "price", type: "numeric")],
            record: record, oldRecord: old)
    }

    @Test func `numbers keep their digits and an insert has no old_record`() throws {
        let text = ChangeData.text(
            of: Self.change(.insert, record: #"{"price": 189.2500, "asset_symbol": "AAPL"}"#, old: nil))
        #expect(
            text
                == #"{"schema":"public","table":"market_data","type":"INSERT","commit_timestamp":"2023-11-14T22:13:20.500000Z","#
                + #""columns":[{"name":"asset_symbol","type":"text"},{"name":"price","type":"numeric"}],"#
                + #""record":{"price": 189.2500, "asset_symbol": "AAPL"},"errors":null}"#)
    }

    @Test func `a delete has old_record only`() throws {
        let json = try StrictJSON.parse(ChangeData.text(of: Self.change(.delete, record: nil, old: #"{"price":1}"#)))
        #expect(json["record"] == nil)
        #expect(json["old_record"] == ["price": 1])
        #expect(json["errors"] == .null)
    }

    @Test func `select leaves the wanted columns`() throws {
        let change = Self.change(
            .update, record: #"{"price":2.0,"asset_symbol":"A"}"#, old: #"{"price":1,"asset_symbol":"A"}"#)
        let json = try StrictJSON.parse(ChangeData.text(of: change, select: ["price"]))
        #expect(json["record"]?.serialized() == #"{"price":2.0}"#)
        #expect(json["columns"]?.arrayValue?.count == 1)
    }

    @Test func `a row above the limit is cut and says so`() throws {
        let big = String(repeating: "x", count: ChangeData.rowLimit)
        let text = ChangeData.text(
            of: Self.change(.insert, record: "{\"asset_symbol\":\"A\",\"note\":\"\(big)\"}", old: nil))
        let json = try StrictJSON.parse(text)
        #expect(json["record"] == ["asset_symbol": "A"])
        #expect(json["errors"] == ["Error 413: Payload Too Large"])
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"), (1, "1970-01-01T00:00:00.000001Z"), (10, "1970-01-01T00:00:00.000010Z"),
        (1_000_000, "1970-01-01T00:00:01.000000Z"),
    ])
    func `timestamps have six digits`(microseconds: Int64, text: String) {
        #expect(ChangeData.timestamp(UTCTimestamp(microsecondsSinceEpoch: microseconds)) == text)
    }

    @Test func `equal bindings have equal ids in range, others differ`() throws {
        let a = try ChangeBinding(JSONObject([("event", "*"), ("schema", "public"), ("table", "t")]))
        let b = try ChangeBinding(JSONObject([("table", "t"), ("schema", "public"), ("event", "*")]))
        let c = try ChangeBinding(JSONObject([("event", "INSERT"), ("schema", "public"), ("table", "t")]))
        #expect(a.id == b.id)
        #expect(a.id != c.id)
        #expect((1..<1 << 27).contains(a.id))
    }

    @Test func `bindings read their parameters as the real server does`() throws {
        let lower = try ChangeBinding(JSONObject([("event", "insert"), ("table", "t")]))
        #expect(lower.kind == .insert)
        #expect(lower.schema == "public")
        let all = try ChangeBinding(JSONObject([("event", "nonsense"), ("schema", "*")]))
        #expect(all.kind == nil && all.schema == nil && all.table == nil)
        #expect(all.concerns(schema: "x", table: "y", kind: .delete))
        #expect(throws: ChangeBindingError.self) { try ChangeBinding(JSONObject([("event", "*")])) }
    }
}
