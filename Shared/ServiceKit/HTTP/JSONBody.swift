import HTTPTypes
public import Hummingbird
import NIOCore
public import WireFormat

extension Request {
    /// The body's bytes, at most `limit`. How long they may take is the server's to say (`ServerGuards`).
    /// Throws REQ-204 (413) for a larger body, REQ-207 (408) for a slower one and 400 for one that is not HTTP.
    public func bodyBytes(limit: Int = BodyLimits.standard) async throws -> [UInt8] {
        if let announced = headers[.contentLength].flatMap({ Int($0) }), announced > limit {
            throw Problem(.bodyTooLarge, "The body has \(announced) bytes; at most \(limit) are taken.")
        }
        do {
            var buffer = try await body.collect(upTo: limit)
            return buffer.readBytes(length: buffer.readableBytes) ?? []
        } catch is NIOTooManyBytesError {
            throw Problem(.bodyTooLarge, "The body has more than \(limit) bytes.")
        }
    }

    /// The body's bytes where its media type is JSON's. Throws 415, 413 or 408.
    public func jsonBytes(limit: Int = BodyLimits.standard) async throws -> [UInt8] {
        try requireMediaType("application/json", orSuffix: "+json")
        return try await bodyBytes(limit: limit)
    }

    /// The body as strict JSON. Throws 415 for another media type, 413, 408, or 400 with the place of the fault.
    public func jsonBody(limit: Int = BodyLimits.standard) async throws -> JSONValue {
        let bytes = try await jsonBytes(limit: limit)
        do {
            return try StrictJSON.parse(bytes, limits: JSONLimits(bytes: limit))
        } catch {
            throw Problem(error)
        }
    }

    /// The media type of the body, lower case and without parameters; nil where there is none.
    public var mediaType: String? {
        headers[.contentType].map { type in
            // What nearly everybody sends needs no look at each character.
            type == "application/json" ? type : type.prefix { $0 != ";" }.lowercased().filter { $0 != " " }
        }
    }

    /// An absent media type is taken for the wanted one; another one is refused.
    public func requireMediaType(_ wanted: String, orSuffix suffix: String? = nil) throws(Problem) {
        guard let given = mediaType else { return }
        if given == wanted || suffix.map({ given.hasPrefix("application/") && given.hasSuffix($0) }) == true { return }
        throw Problem(.unsupportedMediaType, "\(Problem.echo(given)) is not taken here; send \(wanted).")
    }

    /// Whether the header Prefer carries a preference, e.g. `handling=strict` or `respond-async`.
    public func prefers(_ preference: String) -> Bool {
        guard let wanted = headers[.prefer] else { return false }
        return wanted.split(whereSeparator: { $0 == "," || $0 == ";" })
            .contains { $0.filter { $0 != " " && $0 != "\"" }.lowercased() == preference }
    }

    /// An integral query parameter within a range; nil where it is absent. Throws REQ-106.
    public func queryInteger(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = uri.queryParameters[Substring(name)] else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw Problem(
                .invalidParameter,
                "The parameter \(name) has to be a whole number from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }
}

extension Response {
    /// An answer of these bytes.
    public init(bytes: [UInt8], mediaType: String, status: HTTPResponse.Status = .ok) {
        self.init(
            status: status, headers: [.contentType: mediaType], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
        )
    }

    /// A JSON answer.
    public init(json: JSONValue, status: HTTPResponse.Status = .ok) {
        self.init(bytes: json.bytes(), mediaType: "application/json", status: status)
    }

    /// A text answer.
    public init(text: String, mediaType: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok) {
        self.init(bytes: Array(text.utf8), mediaType: mediaType, status: status)
    }
}
