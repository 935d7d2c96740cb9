import Realtime
import ServiceKit
import WireFormat

/// Why a join is refused: `Code: text`.
struct JoinRefusal: Error {
    let reason: String

    static let database = JoinRefusal(
        reason: "UnableToConnectToProject: Realtime was unable to connect to the project database")
    static let initializing = JoinRefusal(
        reason: "InitializingProjectConnection: Realtime is initializing the project connection")
}

/// Everything that has to be known before a join is answered.
struct JoinPlan: Sendable {
    let tenant: String
    let expiry: Double?
    let bounds: [Subscription.Bound]
    /// A permanent fault of the bindings, for the client.
    let fault: String?
    /// Where to begin; nil: now.
    let start: Position?
    /// The cursor that was asked for is older than the log.
    let isExpired: Bool

    static func make(
        _ request: JoinRequest, identity: Identity, since: String?, acknowledgements: AcknowledgementLedger?,
        environment: SocketSession.Environment
    ) async throws(JoinRefusal) -> JoinPlan {
        var identity = identity
        do throws(GateError) {
            // A token of the channel's own; the connection's may have expired since.
            identity = try await environment.gate.identify(request.accessToken ?? identity.token)
        } catch {
            throw JoinRefusal(reason: error.joinReason)
        }
        guard identity.principal.allows(.dataRead) else {
            let name = RealtimeTopic.name(request.topic)
            throw JoinRefusal(
                reason: "Unauthorized: You do not have permissions to read from this Channel topic: \(name)")
        }
        let tenant = identity.tenant
        guard !request.configuration.changes.isEmpty else {
            return JoinPlan(
                tenant: tenant, expiry: identity.expiry, bounds: [], fault: nil, start: nil, isExpired: false)
        }
        // Fixed before anything else is asked: what is committed from here on is delivered.
        guard let live = environment.hub.live else { throw .initializing }
        do {
            let bounds = try await bind(request.configuration.changes, environment.source)
            let (start, isExpired) = try await start(
                request, since: since, live: live, acknowledgements: acknowledgements, environment: environment)
            return JoinPlan(
                tenant: tenant, expiry: identity.expiry, bounds: bounds, fault: nil, start: start, isExpired: isExpired)
        } catch let error as ChangeBindingError {
            return JoinPlan(
                tenant: tenant, expiry: identity.expiry, bounds: [], fault: error.text, start: nil, isExpired: false)
        } catch {
            environment.observer.record(.databaseFault(during: "joining", error: "\(error)"))
            throw .database
        }
    }

    private static func bind(
        _ entries: [JSONObject], _ source: any ChangeSource
    ) async throws -> [Subscription.Bound] {
        var bounds: [Subscription.Bound] = []
        for entry in entries {
            let binding = try ChangeBinding(entry)
            guard let schema = binding.schema, let table = binding.table else {
                bounds.append(.init(binding: binding, filter: nil))
                continue
            }
            guard let columns = try await source.columns(schema: schema, table: table) else {
                throw ChangeBindingError.notPublished(binding)
            }
            do throws(ChangeFilterError) {
                bounds.append(.init(binding: binding, filter: try CompiledFilter(binding.filter, columns: columns)))
            } catch {
                throw ChangeBindingError.unusable(binding, error.text)
            }
        }
        return bounds
    }

    /// An explicit cursor goes before the durable one, which goes before now.
    private static func start(
        _ request: JoinRequest, since: String?, live: Position, acknowledgements: AcknowledgementLedger?,
        environment: SocketSession.Environment
    ) async throws -> (Position?, isExpired: Bool) {
        let explicit = request.configuration.changes.compactMap { $0["since"]?.stringValue }.min() ?? since
        if let explicit, let instant = UTCTimestamp(iso: explicit) {
            let position = try await environment.source.position(of: instant)
            if let key = acknowledgements?.key(request.topic) {
                try await environment.cursors.reset(key, to: position ?? live)
            }
            return (position ?? live, position == nil)
        }
        guard let key = acknowledgements?.key(request.topic) else { return (nil, false) }
        return (try await environment.cursors.position(key, startingAt: live), false)
    }
}
