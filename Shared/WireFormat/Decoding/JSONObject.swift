/// The members of a JSON object, in the order they were written. Names are compared by their bytes.
public struct JSONObject: Sendable {
    /// The members in order. No name occurs twice.
    public private(set) var members: [(key: String, value: JSONValue)]

    /// Positions by name, kept only for objects too long to be searched member by member.
    private var index = NameIndex()
    /// So many members are searched one by one.
    static let searched = 16

    public init() { members = [] }

    /// Members in the given order; a name that occurs again replaces the earlier value in its place.
    public init(_ pairs: [(String, JSONValue)]) {
        members = []
        members.reserveCapacity(pairs.count)
        for (key, value) in pairs where !append(key, value) { self[key] = value }
    }

    /// Members whose names the caller knows to be different: they are not compared, which costs an answer more than writing it.
    static func distinct(_ pairs: [(key: String, value: JSONValue)]) -> JSONObject {
        assert(Set(pairs.map { Array($0.key.utf8) }).count == pairs.count, "a name occurs twice")
        // Without an index members are searched one by one; the next that is added makes it.
        var object = JSONObject()
        object.members = pairs
        return object
    }

    /// The value of a member; setting nil removes it, setting a new name appends it.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let at?, let value?): members[at].value = value
            case (nil, let value?): _ = append(key, value)
            case (let at?, nil):
                members.remove(at: at)
                reindex()
            case (nil, nil): break
            }
        }
    }

    /// The names in order.
    public var keys: [String] { members.map { $0.key } }
    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }

    /// Adds a member at the end. False, with nothing changed, where the name is already there.
    mutating func append(_ key: String, _ value: JSONValue) -> Bool {
        if index.isEmpty {
            guard position(of: key) == nil else { return false }
            members.append((key, value))
            if members.count > Self.searched { reindex() }
        } else {
            let hash = NameIndex.hash(key)
            guard index.position(hash: hash, where: { NameIndex.sameBytes(members[$0].key, key) }) == nil else {
                return false
            }
            members.append((key, value))
            index.add(hash: hash, position: members.count - 1)
        }
        return true
    }

    /// Adds a member whose name the caller knows to be new, to an object of fewer than `searched` members.
    mutating func appendNew(_ key: String, _ value: JSONValue) {
        members.append((key, value))
    }

    private func position(of key: String) -> Int? {
        if !index.isEmpty {
            return index.position(hash: NameIndex.hash(key)) { NameIndex.sameBytes(members[$0].key, key) }
        }
        return members.firstIndex { NameIndex.sameBytes($0.key, key) }
    }

    private mutating func reindex() {
        index = NameIndex()
        guard members.count > Self.searched else { return }
        for (at, member) in members.enumerated() { index.add(hash: NameIndex.hash(member.key), position: at) }
    }
}

extension JSONObject: Equatable {
    /// Equal members whatever their order, as JSON has it.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
}
