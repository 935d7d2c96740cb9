/// Something the caller should know about an answer that was given all the same.
///
/// With the header `Prefer: handling=strict` each one is a 422 instead.
public struct PortfolioWarning: Sendable, Equatable {
    /// A stable word for programs, e.g. `group_not_applied`.
    public var code: String
    /// The member of the request it is about; the root where it is about none.
    public var pointer: JSONPointer
    /// A sentence for people.
    public var detail: String

    public init(code: String, pointer: JSONPointer = .root, detail: String) {
        self.code = code
        self.pointer = pointer
        self.detail = detail
    }

    public var json: JSONValue {
        ["code": .string(code), "pointer": .string(pointer.description), "detail": .string(detail)]
    }
}
