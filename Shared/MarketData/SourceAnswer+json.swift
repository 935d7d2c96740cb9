internal import WireFormat

extension SourceAnswer {
    /// The body as JSON, within the limits of a page.
    ///
    /// A body that stops early or is no JSON at all comes from something between us and the source: `upstream`. JSON that is
    /// wrong inside is the source's: `schema`.
    func json() throws(SourceFailure) -> JSONValue {
        do throws(JSONSyntaxError) {
            return try StrictJSON.parse(body, limits: JSONLimits(bytes: 32 << 20, depth: 16, numberLength: 64))
        } catch {
            let first = body.first { $0 > 0x20 }
            let isStructure = first == UInt8(ascii: "[") || first == UInt8(ascii: "{")
            if isStructure, error.kind != .unexpectedEnd { throw SourceFailure(.schema, "\(error)") }
            throw SourceFailure(.upstream, "\(error)")
        }
    }
}

extension MemberReader {
    /// A bar's length such as `1d`.
    func barInterval(_ name: String) -> BarInterval? {
        guard let text = string(name, maximumLength: 8) else { return nil }
        if let interval = BarInterval(text) { return interval }
        faults.record(Violation(pointer.appending(name), .badFormat, "Expected an interval such as 1d, 1h or 5m."))
        return nil
    }
}
