import WireFormat

/// The form of decimals in requests.
enum DecimalText {
    /// Sign, digits, point, digits; no exponent.
    static let pattern = "^-?[0-9]{1,20}([.][0-9]{1,18})?$"

    /// A decimal without exponent, or nil.
    static func read(_ number: JSONNumber) -> String? {
        let text = number.text
        var digits = Substring(text)
        if digits.first == "-" { digits = digits.dropFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...20).contains(parts[0].utf8.count),
            parts.count == 1 || (1...18).contains(parts[1].utf8.count),
            parts.allSatisfy({ $0.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } })
        else { return nil }
        return text
    }
}

extension Holdings {
    /// Decodes the body of `PUT .../holdings`.
    init(json: JSONValue) throws(Problem) {
        self.init()
        let reader = MemberReader(json)
        if let text = reader.string("currency", maximumLength: 3) {
            let isCode = text.utf8.count == 3 && text.utf8.allSatisfy { $0 >= 0x41 && $0 <= 0x5a }
            if !isCode { reader.fault("currency", .badFormat, "A currency has three capital letters, as in USD.") }
            currency = text
        }
        cash = reader.plainDecimal("cash") ?? "0"
        var assets: Set<String> = []
        var lotIDs: Set<String> = []
        for (place, value) in reader.elements("holdings", required: true, count: 0...5000) ?? [] {
            let inner = MemberReader(value, at: place, faults: reader.faults)
            guard value.objectValue != nil else { continue }
            let asset = inner.string("asset", required: true, maximumLength: 32) ?? ""
            if inner.has("asset"), !Self.isSymbol(asset) {
                inner.fault("asset", .badFormat, "\"\(Problem.echo(asset))\" is not a symbol.")
            }
            if !assets.insert(asset).inserted {
                inner.fault("asset", .duplicate, "\(Problem.echo(asset)) has two positions.")
            }
            let quantity = inner.plainDecimal("quantity")
            let lots = (inner.elements("lots", count: 0...10_000) ?? []).compactMap { place, value in
                Lot.read(value, at: place, reader.faults, seen: &lotIDs)
            }
            if quantity == nil, !inner.has("lots") {
                inner.fault("quantity", .missing, "A position needs quantity or lots.")
            }
            inner.finish()
            positions.append(Position(asset: asset, quantity: quantity, lots: lots))
        }
        try reader.finishAndThrow()
    }

    /// The pattern of `asset.symbol`.
    static func isSymbol(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        }
        guard (1...32).contains(bytes.count), isAlphanumeric(bytes[0]) else { return false }
        return bytes.allSatisfy { isAlphanumeric($0) || "._:/=^-".utf8.contains($0) }
    }
}

extension Holdings.Lot {
    fileprivate static func read(
        _ value: JSONValue, at place: JSONPointer, _ faults: MemberReader.Faults, seen: inout Set<String>
    ) -> Holdings.Lot? {
        let reader = MemberReader(value, at: place, faults: faults)
        guard value.objectValue != nil else { return nil }
        let id = reader.string("id", required: true, maximumLength: 64) ?? ""
        let isID =
            !id.isEmpty
            && id.utf8.allSatisfy {
                (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
                    || "._:-".utf8.contains($0)
            }
        if !isID, reader.has("id") {
            reader.fault("id", .badFormat, "A lot's id has 1 to 64 letters, digits and . _ : -.")
        }
        if isID, !seen.insert(id).inserted {
            reader.fault("id", .duplicate, "Two lots have the id \(Problem.echo(id)).")
        }
        let acquired = reader.date("acquired", required: true)
        let quantity = reader.plainDecimal("quantity", required: true)
        if let quantity, (Double(quantity) ?? 0) <= 0 {
            reader.fault("quantity", .outOfRange, "A lot's quantity is above zero.")
        }
        let basis = reader.plainDecimal("basis_per_share", required: true)
        if let basis, (Double(basis) ?? 0) < 0 {
            reader.fault("basis_per_share", .outOfRange, "A cost is not negative.")
        }
        reader.finish()
        guard let acquired, let quantity, let basis else { return nil }
        return Holdings.Lot(id: id, acquired: acquired, quantity: quantity, basisPerShare: basis)
    }
}

extension MemberReader {
    /// A decimal text, or a number, without exponent: at most 20 digits before the point and 18 after it.
    func plainDecimal(_ name: String, required: Bool = false) -> String? {
        guard let number = decimal(name, required: required) else { return nil }
        if let text = DecimalText.read(number) { return text }
        fault(name, .badFormat, "At most 20 digits, a point, 18 digits, and no exponent.")
        return nil
    }
}
