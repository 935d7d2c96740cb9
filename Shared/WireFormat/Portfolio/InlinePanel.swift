/// A panel of returns or prices that came with the request: the call is then a pure function and stores nothing.
public struct InlinePanel: Sendable, Equatable {
    /// What the figures are.
    public enum Kind: String, Sendable {
        case returns, prices
    }

    public var kind: Kind
    /// Strictly ascending.
    public var dates: [CalendarDate]
    /// Symbols in the order of the request.
    public var assets: [String]
    /// One series an asset, a figure a date; nil is missing.
    public var values: [[Double?]]

    public init(kind: Kind, dates: [CalendarDate], assets: [String], values: [[Double?]]) {
        self.kind = kind
        self.dates = dates
        self.assets = assets
        self.values = values
    }

    /// Most assets of one request.
    static let mostAssets = 2000

    /// Reads `{"dates":[...],"values":{"AAPL":[...]}}`; faults go to the reader's list.
    static func read(_ kind: Kind, from outer: MemberReader) -> InlinePanel? {
        guard let reader = outer.object(kind.rawValue) else { return nil }
        defer { reader.finish() }
        var dates: [CalendarDate] = []
        for (place, value) in reader.elements("dates", required: true) ?? [] {
            guard let date = reader.date(value, at: place) else { continue }
            if let last = dates.last, date <= last {
                let detail = "\(date) follows \(last): dates ascend and none occurs twice."
                reader.faults.record(Violation(place, date == last ? .duplicate : .outOfRange, detail))
            }
            dates.append(date)
        }
        guard let columns = reader.object("values", required: true) else { return nil }
        if columns.object.isEmpty { reader.fault("values", .outOfRange, "The panel has no asset.") }
        if columns.object.count > mostAssets {
            reader.fault("values", .outOfRange, "The panel has more than \(mostAssets) assets.")
            return nil
        }
        var assets: [String] = []
        var values: [[Double?]] = []
        let range = kind == .prices ? Interval.positive : Interval(lower: -1e6, upper: 1e6)
        for member in columns.object.members {
            AssetSymbol.check(member.key, at: columns.pointer.appending(member.key), columns.faults)
            guard let elements = columns.elements(member.key) else {
                if member.value.isNull { columns.fault(member.key, .wrongType, "Expected an array, found null.") }
                continue
            }
            if elements.count != dates.count, reader.isValid {
                let detail = "\(elements.count) figures for \(dates.count) dates."
                columns.fault(member.key, .other("length_mismatch"), detail)
            }
            assets.append(member.key)
            values.append(
                elements.map { element in
                    element.value.isNull ? nil : columns.double(element.value, at: element.pointer, in: range)
                })
        }
        return InlinePanel(kind: kind, dates: dates, assets: assets, values: values)
    }

    var json: JSONValue {
        let columns = zip(assets, values).map { ($0, JSONValue.array($1.map { JSONValue($0) })) }
        return [
            "dates": JSONValue(dates.map { $0.description }),
            "values": .object(JSONObject(columns)),
        ]
    }
}

/// What a symbol may look like.
enum AssetSymbol {
    /// Refuses blank and over-long symbols, and those with control characters or spaces at an end.
    static func check(_ text: String, at place: JSONPointer, _ faults: MemberReader.Faults) {
        let isControl = text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
        if text.isEmpty || text.utf8.count > 64 || isControl || text.first == " " || text.last == " " {
            faults.record(
                Violation(place, .badFormat, "\"\(Problem.echo(text))\" is not a symbol: 1 to 64 visible characters."))
        }
    }
}
