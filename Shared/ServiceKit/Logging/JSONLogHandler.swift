public import Logging
import WireFormat

/// One JSON object a line: time, level, service, logger, message, then the metadata. Messages are constant, what varies is
/// metadata, so that equal events group.
public struct JSONLogHandler: LogHandler {
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?
    public var logLevel: Logger.Level
    private let service: String
    private let label: String
    private let sink: LogSink

    public init(
        service: String, label: String, level: Logger.Level = .info, sink: LogSink = .standardError,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        self.service = service
        self.label = label
        logLevel = level
        self.sink = sink
        self.metadataProvider = metadataProvider
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var line = JSONObject([
            ("time", .string(WallClock.now.isoString)),
            ("level", .string(event.level.rawValue)),
            ("service", .string(service)),
            ("logger", .string(label)),
            ("message", .string(Self.cut("\(event.message)"))),
        ])
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, new in new } }
        if let given = event.metadata { all.merge(given) { _, new in new } }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            let name = key == "hb.request.id" ? "connection_request" : key
            line[line[name] == nil ? name : "metadata.\(name)"] = Self.json(value, depth: 0)
        }
        sink.append(JSONValue.object(line).bytes())
    }

    private static func json(_ value: Logger.MetadataValue, depth: Int) -> JSONValue {
        guard depth < 8 else { return "…" }
        switch value {
        case .string(let text): return .string(cut(text))
        case .stringConvertible(let value):
            switch value {
            case let number as Int: return JSONValue(number)
            case let number as Double: return JSONValue(number)
            case let flag as Bool: return .bool(flag)
            default: return .string(cut("\(value)"))
            }
        case .array(let values): return .array(values.prefix(100).map { json($0, depth: depth + 1) })
        case .dictionary(let values):
            return .object(
                JSONObject(
                    values.sorted { $0.key < $1.key }.prefix(100).map { ($0.key, json($0.value, depth: depth + 1)) }))
        }
    }

    /// No line grows without bound.
    private static func cut(_ text: String) -> String {
        text.utf8.count <= 16_384 ? text : String(text.prefix(16_000)) + "…"
    }
}

/// Sends the logs of this process to stderr as JSON. Once, at start.
public func bootstrapLogging(service: String, level: Logger.Level) {
    LoggingSystem.bootstrap { label in JSONLogHandler(service: service, label: label, level: level) }
}
