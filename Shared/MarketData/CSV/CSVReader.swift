/// Records of comma-separated text (RFC 4180): quoted fields, doubled quotes, line ends LF, CRLF or CR.
struct CSVReader {
    /// A record's fields, and the line it starts on, from 1.
    struct Record: Equatable {
        var fields: [String]
        var line: Int
    }

    private let bytes: [UInt8]
    private let isComplete: Bool
    /// The start of the record that comes next: everything before it has been read.
    private(set) var position = 0
    private(set) var line: Int

    /// - Parameter isComplete: false when the bytes are a slice with more behind them; a record that may go on is then left.
    init(_ bytes: [UInt8], isComplete: Bool, line: Int = 1) {
        self.bytes = bytes
        self.isComplete = isComplete
        self.line = line
    }

    /// Skips a byte order mark.
    mutating func skipByteOrderMark() {
        if position == 0, bytes.starts(with: [0xef, 0xbb, 0xbf]) { position = 3 }
    }

    /// The next record with anything in it; nil at the end.
    ///
    /// - Throws: `schema` with the line of a quote that is never closed.
    mutating func next() throws(SourceFailure) -> Record? {
        while position < bytes.count {
            let start = line
            guard let fields = try record() else { return nil }
            if fields.count > 1 || !fields[0].isEmpty { return Record(fields: fields, line: start) }
        }
        return nil
    }

    private mutating func record() throws(SourceFailure) -> [String]? {
        var at = position
        var lines = 0
        var fields: [String] = []
        while true {
            if at < bytes.count, bytes[at] == Self.quote {
                var text: [UInt8] = []
                at += 1
                while true {
                    guard at < bytes.count else {
                        if isComplete {
                            throw SourceFailure(.schema, "the quote that opens on line \(line) is never closed")
                        }
                        return nil
                    }
                    if bytes[at] == Self.quote {
                        // The byte after decides whether this ends the field, and it may be in the next slice.
                        if at + 1 == bytes.count, !isComplete { return nil }
                        guard at + 1 < bytes.count, bytes[at + 1] == Self.quote else { break }
                        at += 1
                    } else if bytes[at] == Self.lineFeed {
                        lines += 1
                    }
                    text.append(bytes[at])
                    at += 1
                }
                at += 1
                // Text after the closing quote is kept: the field's rule will refuse it.
                while at < bytes.count, !Self.isEnd(bytes[at]) {
                    text.append(bytes[at])
                    at += 1
                }
                fields.append(String(decoding: text, as: UTF8.self))
            } else {
                let start = at
                while at < bytes.count, !Self.isEnd(bytes[at]) { at += 1 }
                fields.append(String(decoding: bytes[start..<at], as: UTF8.self))
            }
            guard at < bytes.count else {
                if !isComplete { return nil }
                break
            }
            let end = bytes[at]
            at += 1
            if end == Self.comma { continue }
            if end == Self.carriageReturn {
                if at == bytes.count, !isComplete { return nil }
                if at < bytes.count, bytes[at] == Self.lineFeed { at += 1 }
            }
            lines += 1
            break
        }
        position = at
        line += lines
        return fields
    }

    private static let quote = UInt8(ascii: "\"")
    private static let comma = UInt8(ascii: ",")
    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")

    private static func isEnd(_ byte: UInt8) -> Bool { byte == comma || byte == lineFeed || byte == carriageReturn }
}
