/// The members of a JSON object, in the order they were written. Names are compared by their bytes.
public struct JSONObject: Sendable {
    /// The members in order. No name occurs twice.
    public private(set) var members: [(key: String, value: JSONValue)]

    /// Positions by name, kept only for objects too long to be searched member by member.
    private var positions: [ByteName: Int] = [:]
    private static let searched = 12

    public init() { members = [] }

    /// Members in the given order; a name that occurs again replaces the earlier value in its place.
    public init(_ pairs: [(String, JSONValue)]) {
        members = []
        members.reserveCapacity(pairs.count)
        for (key, value) in pairs { self[key] = value }
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
        if positions.isEmpty {
            guard position(of: key) == nil else { return false }
            members.append((key, value))
            if members.count > Self.searched { reindex() }
        } else {
            let name = ByteName(key)
            if let before = positions.updateValue(members.count, forKey: name) {
                positions[name] = before
                return false
            }
            members.append((key, value))
        }
        return true
    }

    private func position(of key: String) -> Int? {
        if !positions.isEmpty { return positions[ByteName(key)] }
        return members.firstIndex { $0.key.utf8.elementsEqual(key.utf8) }
    }

    private mutating func reindex() {
        positions = [:]
        guard members.count > Self.searched else { return }
        for (at, member) in members.enumerated() { positions[ByteName(member.key)] = at }
    }
}

extension JSONObject: Equatable {
    /// Equal members whatever their order, as JSON has it.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.count == b.count && a.members.allSatisfy { b[$0.key] == $0.value }
    }
}

/// A name whose equality is that of its bytes: Swift's own `==` says that "é" equals "e\u{301}", PostgreSQL does not.
struct ByteName: Hashable {
    let name: String
    init(_ name: String) { self.name = name }
    static func == (a: ByteName, b: ByteName) -> Bool { a.name.utf8.elementsEqual(b.name.utf8) }
    /// Eight bytes at a time. The hasher is seeded for each process, so nobody can prepare names that collide.
    func hash(into hasher: inout Hasher) {
        var word: UInt64 = 0
        var count = 0
        for byte in name.utf8 {
            word = word << 8 | UInt64(byte)
            count += 1
            if count & 7 == 0 { hasher.combine(word) }
        }
        hasher.combine(word)
        hasher.combine(count)
    }
}
