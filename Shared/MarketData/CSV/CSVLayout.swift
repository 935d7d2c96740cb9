/// How a file's columns are read, told by its header.
enum CSVLayout: Equatable {
    /// `date,AAPL,MSFT,...`: one price a cell. A column whose name cannot be a symbol is nil.
    case wide(symbols: [String?])
    /// The specification's columns, one bar a row; positions by name.
    case tidy(TidyColumns)

    struct TidyColumns: Equatable {
        var symbol: Int
        var timestamp: Int
        var price: Int
        var volume: Int?
        var statedReturn: Int?
        var interval: Int?
        var count: Int
    }

    /// Columns of `market_data` that its own dumps carry and that are not the file's to set.
    private static let ignored: Set<String> = ["created_at", "source", "run_id", "quality"]

    init(header: [String]) throws(SourceFailure) {
        let names = header.map { $0.trimmingSpaces }
        var positions: [String: Int] = [:]
        for (index, name) in names.enumerated() {
            guard !name.isEmpty else { throw SourceFailure(.schema, "column \(index + 1) of the header has no name") }
            guard positions.updateValue(index, forKey: name) == nil else {
                throw SourceFailure(.schema, "the column \(name.prefix(64)) occurs twice in the header")
            }
        }
        if let symbol = positions["asset_symbol"] {
            self = .tidy(try Self.tidy(names, positions, symbol: symbol))
        } else if ["date", "timestamp"].contains(names.first?.lowercased()), names.count > 1 {
            self = .wide(symbols: names.dropFirst().map { BarRules.isSymbol($0) ? $0 : nil })
        } else {
            throw SourceFailure(
                .schema, "the header is neither date,SYMBOL,... nor asset_symbol,timestamp,price,...")
        }
    }

    private static func tidy(
        _ names: [String], _ positions: [String: Int], symbol: Int
    ) throws(SourceFailure) -> TidyColumns {
        let known: Set<String> = ["asset_symbol", "timestamp", "price", "volume", "return", "interval"]
        for name in names where !known.contains(name) && !ignored.contains(name) {
            throw SourceFailure(.schema, "the column \(name.prefix(64)) is not known")
        }
        guard let timestamp = positions["timestamp"], let price = positions["price"] else {
            throw SourceFailure(.schema, "the header lacks timestamp or price")
        }
        return TidyColumns(
            symbol: symbol, timestamp: timestamp, price: price, volume: positions["volume"],
            statedReturn: positions["return"], interval: positions["interval"], count: names.count)
    }
}

extension StringProtocol {
    var trimmingSpaces: String {
        var rest = self[...]
        while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest = rest.dropLast() }
        return String(rest)
    }
}
