import WireFormat

/// The members of a JSON object while it grows; a name that comes again replaces the former.
struct Members {
    private(set) var object = JSONObject()

    var json: JSONValue { .object(object) }

    mutating func add(_ name: String, _ value: JSONValue) { object[name] = value }
    mutating func add(_ name: String, _ value: Double) { object[name] = JSONValue(value) }
    mutating func add(_ name: String, whole value: Int) { object[name] = JSONValue(value) }
    mutating func add(_ name: String, _ value: String) { object[name] = .string(value) }
    mutating func remove(_ name: String) { object[name] = nil }
    func has(_ name: String) -> Bool { object[name] != nil }
}
