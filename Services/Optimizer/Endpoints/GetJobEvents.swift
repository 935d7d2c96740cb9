import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit
import WireFormat

/// `GET /api/jobs/{job}/events`: a job's progress as server-sent events, from the one after `Last-Event-ID` on, to its end.
///
/// Each event has the number of its row as `id`, so that a client that was cut off comes back and misses nothing. A comment every 15
/// seconds keeps the connection open. The last event, `done`, `failed` or `cancelled`, carries the whole job.
/// Source: WHATWG HTML, server-sent events.
struct GetJobEvents: Endpoint {
    let optimizer: Optimizer

    static let tick = Duration.seconds(1)
    static let ticksBetweenReads = 5
    static let ticksBetweenPings = 15

    func answer(_ request: Request, _ context: BallastRequestContext) async throws -> Response {
        let principal = try context.authorized(for: .dataRead)
        try request.allowQuery()
        let after = try Self.lastEventID(request)
        let job = try await optimizer.job(context)
        let optimizer = optimizer
        let body = ResponseBody { writer in
            try await Self.stream(job.id, after: after, tenant: principal.tenant, of: optimizer, to: &writer)
            try await writer.finish(nil)
        }
        return Response(
            status: .ok,
            headers: [.contentType: "text/event-stream", .cacheControl: "no-store", .accelBuffering: "no"], body: body)
    }

    private static func lastEventID(_ request: Request) throws(Problem) -> Int {
        guard let text = request.headers[.lastEventID], !text.isEmpty else { return 0 }
        guard let number = Int(text), (0...Int(Int32.max)).contains(number) else {
            throw Problem(.invalidHeader, "Last-Event-ID has to be the id of an event of this job.")
        }
        return number
    }

    private static func stream(
        _ id: String, after: Int, tenant: UUID, of optimizer: Optimizer, to writer: inout any ResponseBodyWriter
    ) async throws {
        // Subscribed before the first read: what happens in between wakes us.
        let wake = WakeSignal()
        let changes = optimizer.jobHub.changes(of: id)
        let watcher = Task { for await _ in changes { wake.wake() } }
        defer { watcher.cancel() }
        var seen = after
        var ticks = 0
        var isWoken = true
        try await writer.write(ByteBuffer(string: "retry: 1000\n\n"))
        while !optimizer.drain.isDraining {
            try Task.checkCancellation()
            if isWoken || ticks.isMultiple(of: ticksBetweenReads) {
                let events = try await optimizer.jobStore.events(of: id, after: seen, tenant: tenant)
                for event in events {
                    let state = try StrictJSON.parse(event.body, limits: .stored)["state"]?.stringValue
                    let isLast = state.flatMap { Job.State(rawValue: $0) }?.isOver == true
                    var data = event.body
                    if isLast, let job = try await optimizer.jobStore.find(id, tenant: tenant) {
                        data = try job.json().serialized()
                    }
                    let name = isLast ? state ?? "progress" : "progress"
                    try await writer.write(ByteBuffer(string: "id: \(event.seq)\nevent: \(name)\ndata: \(data)\n\n"))
                    seen = event.seq
                    if isLast { return }
                }
                if events.isEmpty, try await isOver(id, tenant, seen, optimizer) { return }
            }
            let before = ContinuousClock.now
            await wake.wait(atMost: tick)
            isWoken = ContinuousClock.now - before < tick
            if !isWoken { ticks += 1 }
            if !isWoken, ticks.isMultiple(of: ticksBetweenPings) {
                try await writer.write(ByteBuffer(string: ": ping\n\n"))
            }
        }
    }

    /// A client that has had everything, or whose job is gone, waits for nothing.
    private static func isOver(_ id: String, _ tenant: UUID, _ seen: Int, _ optimizer: Optimizer) async throws -> Bool {
        guard let job = try await optimizer.jobStore.find(id, tenant: tenant) else { return true }
        return job.state.isOver && job.events <= seen
    }
}

extension HTTPField.Name {
    /// Last-Event-ID. The name is a valid token, so the fallback is never taken.
    static let lastEventID = HTTPField.Name("Last-Event-ID") ?? .cookie
    /// X-Accel-Buffering: tells nginx to pass events on as they come.
    static let accelBuffering = HTTPField.Name("X-Accel-Buffering") ?? .cookie
}
