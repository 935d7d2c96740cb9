import Foundation
import Synchronization

/// Asks for marks on behalf of callers that wait in no task of their own. One question at a time: those who come while it runs share the next one,
/// so that many callers cost hardly more questions than one.
final class MarkQuestions: Sendable {
    /// Told the mark, or nil where it could not be had.
    typealias Answer = @Sendable (DataWatch.Mark?) -> Void

    private struct State {
        var waiting: [(tenant: UUID, answer: Answer)] = []
        var isRunning = false
    }

    private let watch: DataWatch
    private let state = Mutex(State())

    init(_ watch: DataWatch) { self.watch = watch }

    func ask(for tenant: UUID, _ answer: @escaping Answer) {
        let begins = state.withLock { state in
            state.waiting.append((tenant, answer))
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if begins { Task { await run() } }
    }

    private func run() async {
        while true {
            let batch = state.withLock { state in
                state.isRunning = !state.waiting.isEmpty
                defer { state.waiting = [] }
                return state.waiting
            }
            if batch.isEmpty { return }
            // Without a mark each goes the way of every request, where a database that does not answer becomes an error.
            let marks = try? await watch.marks(for: Set(batch.map { $0.tenant }))
            for one in batch { one.answer(marks?[one.tenant]) }
        }
    }
}
