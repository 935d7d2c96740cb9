internal import CLibCurl
internal import CLibCurlSystem
internal import Foundation
internal import Synchronization

/// The event thread: owns the multi handle and every easy handle; nobody else touches them.
///
/// Commands come through a mutex-guarded inbox and `curl_multi_wakeup`, the one call libcurl allows from other threads.
final class CurlEngine: Sendable {
    typealias Outcome = Result<HTTPResponse, FetchError>

    private enum Command {
        case start(CurlTransfer, CheckedContinuation<Outcome, Never>)
        case cancel(CurlTransfer)
    }

    private struct Inbox {
        var commands: [Command] = []
        var isClosed = false
        var isRunning = false
        /// Set while the thread runs; cleared under this lock before the handle is freed, so wake-ups never reach a dead handle.
        var multi: MultiHandle?
    }

    /// The pointer may cross threads: only `curl_multi_wakeup` is called on it elsewhere.
    private struct MultiHandle: @unchecked Sendable {
        let pointer: UnsafeMutableRawPointer
    }

    private let inbox = Mutex(Inbox())
    private let connectionsPerHost: Int

    init(connectionsPerHost: Int) {
        self.connectionsPerHost = connectionsPerHost
    }

    func start(_ transfer: CurlTransfer, _ continuation: CheckedContinuation<Outcome, Never>) {
        let accepted = post(.start(transfer, continuation))
        if !accepted { continuation.resume(returning: .failure(.closed)) }
    }

    func cancel(_ transfer: CurlTransfer) {
        transfer.isCancelled.store(true, ordering: .releasing)
        _ = post(.cancel(transfer))
    }

    func close() {
        inbox.withLock { inbox in
            inbox.isClosed = true
            if let multi = inbox.multi { curl_multi_wakeup(multi.pointer) }
        }
    }

    /// False when closed. Starts the thread with the first command.
    private func post(_ command: Command) -> Bool {
        inbox.withLock { inbox in
            if inbox.isClosed { return false }
            inbox.commands.append(command)
            if let multi = inbox.multi {
                curl_multi_wakeup(multi.pointer)
            } else if !inbox.isRunning {
                inbox.isRunning = true
                let thread = Thread { self.run() }
                thread.name = "http-fetch"
                thread.start()
            }
            return true
        }
    }

    // MARK: The thread

    private func run() {
        _ = Self.globalInitialisation
        guard let multi = curl_multi_init() else { return abandon() }
        _ = ballast_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHost)
        let handle = MultiHandle(pointer: multi)
        inbox.withLock { $0.multi = handle }
        var active: [UnsafeMutableRawPointer: Active] = [:]
        while true {
            let (commands, isClosed) = inbox.withLock { inbox in
                let taken = inbox.commands
                inbox.commands = []
                if inbox.isClosed { inbox.multi = nil }
                return (taken, inbox.isClosed)
            }
            for command in commands { apply(command, multi, &active) }
            if isClosed { break }
            var running: Int32 = 0
            _ = curl_multi_perform(multi, &running)
            collect(multi, &active)
            // libcurl shortens the wait to its own next time-out.
            _ = curl_multi_poll(multi, nil, 0, active.isEmpty ? 60_000 : 1_000, nil)
        }
        for entry in active.values {
            entry.transfer.detach(from: multi)
            entry.continuation.resume(returning: .failure(.closed))
        }
        curl_multi_cleanup(multi)
    }

    private struct Active {
        let transfer: CurlTransfer
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private func apply(
        _ command: Command, _ multi: UnsafeMutableRawPointer, _ active: inout [UnsafeMutableRawPointer: Active]
    ) {
        switch command {
        case .start(let transfer, let continuation):
            if transfer.isCancelled.load(ordering: .acquiring) {
                continuation.resume(returning: .failure(.cancelled))
            } else if let handle = transfer.attach(to: multi) {
                active[handle] = Active(transfer: transfer, continuation: continuation)
            } else {
                continuation.resume(returning: .failure(.invalidRequest(reason: "libcurl refused an option")))
            }
        case .cancel(let transfer):
            guard let handle = transfer.handle, let entry = active.removeValue(forKey: handle) else { return }
            entry.transfer.detach(from: multi)
            entry.continuation.resume(returning: .failure(.cancelled))
        }
    }

    private func collect(_ multi: UnsafeMutableRawPointer, _ active: inout [UnsafeMutableRawPointer: Active]) {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            guard let entry = active.removeValue(forKey: handle) else { continue }
            let outcome = entry.transfer.outcome(code)
            entry.transfer.detach(from: multi)
            entry.continuation.resume(returning: outcome)
        }
    }

    /// No multi handle, no memory: whoever waits is told.
    private func abandon() {
        let commands = inbox.withLock { inbox in
            inbox.isClosed = true
            defer { inbox.commands = [] }
            return inbox.commands
        }
        for case .start(_, let continuation) in commands { continuation.resume(returning: .failure(.closed)) }
    }

    /// `curl_global_init` once a process; 3 is CURL_GLOBAL_ALL, a macro Swift does not import.
    private static let globalInitialisation: CURLcode = curl_global_init(3)
}
