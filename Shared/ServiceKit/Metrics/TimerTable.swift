public import CoreMetrics
import Synchronization

/// Timers that were made, by what tells them apart: finding one by name and labels is dearer than a short answer.
public final class TimerTable<Key: Hashable & Sendable>: Sendable {
    private let known = Mutex<[Key: any TimerHandler]>([:])

    public init() {}

    /// The timer of a key, made at its first use.
    public func timer(_ key: Key, make: () -> any TimerHandler) -> any TimerHandler {
        known.withLock { known in
            if let timer = known[key] { return timer }
            let timer = make()
            known[key] = timer
            return timer
        }
    }
}
