import WireFormat

/// Pushed lines, each read by itself: a bad one is set aside with its rule, the rest goes on.
struct MarketDataLines {
    private(set) var rows: [PushedRow] = []
    private(set) var refused: [RefusedRow] = []
    private var seen: [Key: Int] = [:]
    private let latest: UTCTimestamp

    private struct Key: Hashable {
        var symbol: String
        var interval: String
        var timestamp: UTCTimestamp
    }

    /// Most lines of one call.
    static let mostLines = 200_000

    /// - Parameter now: bars that start more than a day later are refused.
    init(now: UTCTimestamp) {
        latest = UTCTimestamp(microsecondsSinceEpoch: now.microsecondsSinceEpoch + 86_400_000_000)
    }

    /// One JSON object a line; empty lines are skipped. A body of which no line has a member of a row is not market data:
    /// it is refused as a whole, where a row with a fault is set aside.
    mutating func readNDJSON(_ bytes: [UInt8]) throws(Problem) {
        var number = 0
        var isMarketData = false
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            let text = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if text.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { continue }
            try checkCount(number)
            let json: JSONValue
            do {
                json = try StrictJSON.parse(text, limits: JSONLimits(bytes: 65_536))
            } catch {
                refuse(number, "not_json", error.description, .string(Self.excerpt(text)), nil)
                continue
            }
            if let object = json.objectValue {
                isMarketData = isMarketData || Self.columns.contains { object[$0] != nil }
            }
            take(json, line: number)
        }
        if !isMarketData {
            let first = refused.first.map { " Line \($0.line): \($0.detail)" } ?? ""
            throw Problem(
                .invalidValue,
                "No line of the body is a row, which is an object with asset_symbol, timestamp and price.\(first)")
        }
    }

    /// A header of the specification's names, then a row a line (RFC 4180).
    mutating func readCSV(_ bytes: [UInt8]) throws(Problem) {
        var header: [String]?
        for record in CSVRecords(bytes) {
            guard let names = header else {
                header = try Self.header(record.fields)
                continue
            }
            try checkCount(record.line)
            guard record.fields.count == names.count else {
                let detail = "\(record.fields.count) fields for \(names.count) columns."
                refuse(record.line, "wrong_column_count", detail, JSONValue(record.fields), nil)
                continue
            }
            // An empty field is an absent member; figures stay the decimals they are; a date is its midnight in UTC.
            var object = JSONObject()
            for (name, field) in zip(names, record.fields) where !field.isEmpty {
                let isDate = name == "timestamp" && field.utf8.count == 10
                object[name] = .string(isDate ? field + "T00:00:00Z" : field)
            }
            take(.object(object), line: record.line)
        }
        if header == nil { throw Problem(.invalidValue, "The CSV has no header.") }
    }

    private static let columns = [
        "asset_symbol", "timestamp", "price", "volume", "return", "created_at", "interval", "source",
    ]

    private static func header(_ fields: [String]) throws(Problem) -> [String] {
        let names = fields.map { $0.first == "\u{feff}" ? String($0.dropFirst()) : $0 }
        for (index, name) in names.enumerated() {
            guard columns.contains(name), names.firstIndex(of: name) == index else {
                throw Problem(
                    .invalidValue,
                    "The column \"\(Problem.echo(name))\" is not known or occurs twice; known: \(columns.joined(separator: ", "))."
                )
            }
        }
        for name in columns.prefix(3) where !names.contains(name) {
            throw Problem(.missingMember, "The CSV has no column \(name).")
        }
        return names
    }

    private func checkCount(_ line: Int) throws(Problem) {
        if rows.count + refused.count >= Self.mostLines {
            throw Problem(.bodyTooLarge, "More than \(Self.mostLines) rows; send them in several calls (line \(line)).")
        }
    }

    private mutating func take(_ json: JSONValue, line: Int) {
        let row: MarketDataRow
        do {
            row = try MarketDataRow(json: json)
        } catch {
            let member = error.errors.first?.pointer.tokens.first
            refuse(line, Self.rules[member ?? ""] ?? "bad_row", error.detail, json, json["asset_symbol"]?.stringValue)
            return
        }
        if let (rule, detail) = fault(of: row) {
            refuse(line, rule, detail, json, row.assetSymbol)
            return
        }
        let key = Key(symbol: row.assetSymbol, interval: row.interval, timestamp: row.timestamp)
        if let earlier = seen[key] {
            if rows[earlier].row.price != row.price || rows[earlier].row.volume != row.volume {
                refuse(
                    line, "duplicate", "Line \(rows[earlier].line) has other figures for the same bar.", json,
                    row.assetSymbol)
            }
            return
        }
        seen[key] = rows.count
        rows.append(PushedRow(line: line, row: row))
    }

    private static let rules = [
        "asset_symbol": "bad_symbol", "timestamp": "bad_timestamp", "price": "price_not_a_number",
        "volume": "bad_volume",
        "return": "bad_return", "interval": "bad_interval",
    ]

    /// The first hard rule that the row breaks.
    private func fault(of row: MarketDataRow) -> (rule: String, detail: String)? {
        if !Holdings.isSymbol(row.assetSymbol) {
            return ("bad_symbol", "\"\(Problem.echo(row.assetSymbol))\" is not a symbol.")
        }
        if !Self.isInterval(row.interval) {
            return ("bad_interval", "\"\(Problem.echo(row.interval))\" is not an interval like 1d.")
        }
        if row.timestamp > latest { return ("in_future", "\(row.timestamp) is in the future.") }
        if row.timestamp.date <= .earliest {
            return ("bad_timestamp", "\(row.timestamp) is before the calendar begins.")
        }
        guard let price = row.price.double, price < 1e300 else {
            return ("price_not_finite", "The price is too large.")
        }
        if price <= 1e-300 { return ("price_not_positive", "The price \(row.price.text) is not above zero.") }
        if let volume = row.volume, !((volume.double ?? .infinity) < 1e300) || (volume.double ?? -1) < 0 {
            return ("bad_volume", "The volume \(volume.text) is not zero or more.")
        }
        if let change = row.simpleReturn, !((change.double ?? .infinity) < 1e300) || (change.double ?? -2) < -1 {
            return ("bad_return", "The return \(change.text) is below -1 or too large.")
        }
        if let source = row.source, source != "push" { return ("bad_source", "Pushed rows have the source push.") }
        return nil
    }

    /// The pattern of `market_data.interval`.
    static func isInterval(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (2...5).contains(bytes.count), let unit = bytes.last, "smhdw".utf8.contains(unit), bytes[0] != 0x30 else {
            return false
        }
        return bytes.dropLast().allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
    }

    private mutating func refuse(_ line: Int, _ rule: String, _ detail: String, _ raw: JSONValue, _ symbol: String?) {
        // jsonb refuses some texts that JSON allows; they are kept as what can be kept.
        let short =
            raw.serialized().utf8.count > 4096 ? JSONValue.string(Problem.echo(raw.serialized(), limit: 1000)) : raw
        let known = symbol.flatMap { Holdings.isSymbol($0) ? $0 : nil }
        refused.append(RefusedRow(line: line, rule: rule, detail: detail, raw: short, symbol: known))
    }

    private static func excerpt(_ bytes: some Collection<UInt8>) -> String {
        String(decoding: bytes.prefix(1000).map { $0 < 0x20 ? 0x20 : $0 }, as: UTF8.self)
    }
}

/// Records of comma-separated text: quoted fields, doubled quotes, line ends LF or CRLF.
struct CSVRecords: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var at = 0
    private var line = 1
    private static let replacement = Array("\u{fffd}".utf8)

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> (line: Int, fields: [String])? {
        while at < bytes.count {
            let start = line
            let fields = record()
            if fields.count > 1 || fields.first?.isEmpty == false { return (start, fields) }
        }
        return nil
    }

    private mutating func record() -> [String] {
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        while at < bytes.count {
            let byte = bytes[at]
            at += 1
            if byte == UInt8(ascii: "\n") { line += 1 }
            if byte == 0 {
                // No text for the database. What stands for it here is in no column's alphabet, so that the row is refused.
                field += Self.replacement
                continue
            }
            if isQuoted {
                if byte != UInt8(ascii: "\"") {
                    field.append(byte)
                } else if at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
                    field.append(byte)
                    at += 1
                } else {
                    isQuoted = false
                }
            } else if byte == UInt8(ascii: "\""), field.isEmpty {
                isQuoted = true
            } else if byte == UInt8(ascii: ",") {
                fields.append(String(decoding: field, as: UTF8.self))
                field = []
            } else if byte == UInt8(ascii: "\n") {
                break
            } else if byte != UInt8(ascii: "\r") {
                field.append(byte)
            }
        }
        fields.append(String(decoding: field, as: UTF8.self))
        return fields
    }
}
