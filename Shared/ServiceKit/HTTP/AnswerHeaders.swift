public import HTTPTypes
import Synchronization

/// Fields that go on the answer whatever it becomes, a problem included. Middleware far from the outside sets them.
public final class AnswerHeaders: Sendable {
    private let fields = Mutex(HTTPFields())

    public init() {}

    public func set(_ name: HTTPField.Name, _ value: String) { fields.withLock { $0[name] = value } }

    func apply(to headers: inout HTTPFields) {
        for field in fields.withLock({ $0 }) { headers[field.name] = field.value }
    }
}
