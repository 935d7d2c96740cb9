import WireFormat

extension JSONValue {
    /// The document with something else at a place, or without it.
    func setting(_ path: [String], _ new: JSONValue?) -> JSONValue { setting(path[...], new) }

    private func setting(_ path: ArraySlice<String>, _ new: JSONValue?) -> JSONValue {
        guard let first = path.first else { return new ?? .null }
        switch self {
        case .object(var object):
            object[first] = path.count == 1 ? new : (object[first] ?? .null).setting(path.dropFirst(), new)
            return .object(object)
        case .array(var items):
            guard let at = Int(first), items.indices.contains(at) else { return self }
            if path.count == 1, new == nil {
                items.remove(at: at)
            } else {
                items[at] = items[at].setting(path.dropFirst(), new)
            }
            return .array(items)
        default: return self
        }
    }
}
