extension [UInt8] {
    /// Appends an integer in network byte order.
    mutating func append<T: FixedWidthInteger>(bigEndian value: T) {
        Swift.withUnsafeBytes(of: value.bigEndian) { self.append(contentsOf: $0) }
    }

    /// Replaces four bytes at an offset by an integer in network byte order.
    mutating func patch(_ value: Int32, at offset: Int) {
        Swift.withUnsafeBytes(of: value.bigEndian) { source in
            for index in 0..<4 { self[offset + index] = source[index] }
        }
    }

    /// Appends the value preceded by its length, -1 for NULL: the form of array elements and of COPY fields.
    mutating func append(field value: some PostgresEncodable) {
        if value.isNull {
            append(bigEndian: Int32(-1))
            return
        }
        let start = count
        append(bigEndian: Int32(0))
        value.encode(into: &self)
        patch(Int32(count - start - 4), at: start)
    }
}

extension RawSpan {
    /// An integer in network byte order.
    ///
    /// - Throws: `.decoding` when the bytes end before it does.
    func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int = 0) throws(PostgresError) -> T {
        guard offset >= 0, offset <= byteCount - MemoryLayout<T>.size else {
            throw .malformed(T.self, "\(byteCount) bytes, \(MemoryLayout<T>.size) needed at \(offset)")
        }
        return T(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// An integer that is the whole value.
    func wholeInteger<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(PostgresError) -> T {
        guard byteCount == MemoryLayout<T>.size else {
            throw .malformed(T.self, "\(byteCount) bytes instead of \(MemoryLayout<T>.size)")
        }
        return try integer(T.self)
    }

    /// The bytes as UTF-8 text; the server has checked them against the client encoding.
    var text: String {
        withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
