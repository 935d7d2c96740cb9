internal import WireFormat

/// Turns records into bars by a layout and the hard rules.
struct CSVRows {
    let layout: CSVLayout
    let interval: BarInterval
    let rules: BarRules
    private(set) var bars: [MarketBar] = []
    private(set) var quarantined: [QuarantinedRow] = []

    init(layout: CSVLayout, interval: BarInterval, rules: BarRules) {
        self.layout = layout
        self.interval = interval
        self.rules = rules
    }

    /// A wide column whose name cannot be a symbol is reported once, not once a row.
    mutating func reportColumns(_ header: [String]) {
        guard case .wide(let symbols) = layout else { return }
        for (name, symbol) in zip(header.dropFirst(), symbols) where symbol == nil {
            quarantined.append(
                QuarantinedRow(symbol: nil, start: nil, rule: .badSymbol, raw: ["column": .string(name)], line: 1))
        }
    }

    mutating func take(_ record: CSVReader.Record) {
        switch layout {
        case .wide(let symbols): takeWide(record, symbols)
        case .tidy(let columns): takeTidy(record, columns)
        }
    }

    private mutating func takeWide(_ record: CSVReader.Record, _ symbols: [String?]) {
        guard record.fields.count == symbols.count + 1 else { return setAside(record, .wrongColumnCount) }
        guard let start = Self.time(record.fields[0].trimmingSpaces) else { return setAside(record, .badTimestamp) }
        for (symbol, field) in zip(symbols, record.fields.dropFirst()) {
            guard let symbol else { continue }
            let price = field.trimmingSpaces
            if price.isEmpty { continue }
            var raw = RawBar(
                symbol: symbol, interval: interval, start: start, startText: record.fields[0], price: price)
            raw.line = record.line
            check(raw)
        }
    }

    private mutating func takeTidy(_ record: CSVReader.Record, _ columns: CSVLayout.TidyColumns) {
        guard record.fields.count == columns.count else { return setAside(record, .wrongColumnCount) }
        func field(_ index: Int?) -> String? {
            guard let index else { return nil }
            let text = record.fields[index].trimmingSpaces
            return text.isEmpty ? nil : text
        }
        // A row without a price is a missing value, as an empty cell of the wide form is.
        guard let price = field(columns.price) else { return }
        var length = interval
        if let code = field(columns.interval) {
            guard let stated = BarInterval(code) else { return setAside(record, .badInterval) }
            length = stated
        }
        let time = field(columns.timestamp) ?? ""
        var raw = RawBar(
            symbol: field(columns.symbol) ?? "", interval: length, start: Self.time(time), startText: time,
            price: price,
            volume: field(columns.volume))
        raw.statedReturn = field(columns.statedReturn)
        raw.line = record.line
        check(raw)
    }

    private mutating func check(_ raw: RawBar) {
        do throws(RuleBreach) {
            bars.append(try rules.check(raw))
        } catch {
            quarantined.append(error.row)
        }
    }

    private mutating func setAside(_ record: CSVReader.Record, _ rule: HardRule) {
        let raw: JSONValue = ["fields": .array(record.fields.map { .string($0) })]
        quarantined.append(QuarantinedRow(symbol: nil, start: nil, rule: rule, raw: raw, line: record.line))
    }

    /// A date is its midnight in UTC; a time without zone is UTC.
    static func time(_ text: String) -> UTCTimestamp? {
        if text.utf8.count == 10 { return CalendarDate(iso: text)?.start }
        return UTCTimestamp(iso: text) ?? UTCTimestamp(iso: text + "Z")
    }
}
