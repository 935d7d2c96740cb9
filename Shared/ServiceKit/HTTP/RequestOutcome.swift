import Foundation
import Synchronization
import WireFormat

/// What the middleware on the outside cannot see of a request: its context is a copy, of before the caller was known.
final class RequestOutcome: Sendable {
    private let state = Mutex<(tenant: UUID?, problem: Problem?)>((nil, nil))

    /// Whose request it is; nil before authentication and on open paths.
    var tenant: UUID? {
        get { state.withLock { $0.tenant } }
        set { state.withLock { $0.tenant = newValue } }
    }

    /// A problem that has been made into an answer already.
    var problem: Problem? {
        get { state.withLock { $0.problem } }
        set { state.withLock { $0.problem = newValue } }
    }
}
