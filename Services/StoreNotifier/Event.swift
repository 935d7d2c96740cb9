import CoreMetrics
import Logging
import Metrics
import ServiceKit
import WireFormat

/// Everything of the notifier that is worth observing.
enum NotifierEvent: Sendable {
    case opened
    case closed(String)
    case upgradeRefused(status: Int, reason: String)
    case joined
    case joinRefused(String)
    case leading
    case tick(Int64)
    case dispatched(changes: Int, deliveries: Int, elapsed: Duration, newest: UTCTimestamp?)
    case fellBehind
    case replayed(Int)
    case cursorExpired
    case logBegunAgain
    case maintained(dropped: Int)
    case databaseFault(during: String, error: String)
    case ignored(String)
}

/// Logs and metrics are two functions of an event.
struct Observer: Sendable {
    let logger: Logger
    let metrics: any MetricsFactory

    func record(_ event: NotifierEvent) {
        log(event)
        measure(event)
    }

    private func log(_ event: NotifierEvent) {
        switch event {
        case .upgradeRefused(let status, let reason):
            logger.info("Upgrade refused", metadata: ["status": "\(status)", "reason": "\(reason)"])
        case .joinRefused(let reason): logger.info("Join refused", metadata: ["reason": "\(reason)"])
        case .leading: logger.info("Making the ticks")
        case .fellBehind: logger.debug("A slow client reads on from the log")
        case .cursorExpired: logger.notice("A subscriber's cursor is older than the log")
        case .logBegunAgain: logger.warning("The change log has been begun again")
        case .maintained(let dropped): logger.info("Change log maintained", metadata: ["dropped": "\(dropped)"])
        case .databaseFault(let activity, let error):
            logger.warning("Database fault", metadata: ["during": "\(activity)", "error": "\(error)"])
        case .ignored(let what): logger.debug("Message ignored", metadata: ["what": "\(what)"])
        case .closed(let how): logger.debug("Socket closed", metadata: ["how": "\(how)"])
        case .opened, .joined, .tick, .dispatched, .replayed: break
        }
    }

    private func measure(_ event: NotifierEvent) {
        func count(_ label: String, by amount: Int = 1, _ dimensions: [(String, String)] = []) {
            Counter(label: label, dimensions: dimensions, factory: metrics).increment(by: amount)
        }
        switch event {
        case .opened: count("realtime_sockets_opened_total")
        case .closed: count("realtime_sockets_closed_total")
        case .upgradeRefused(let status, _): count("realtime_upgrades_refused_total", [("status", "\(status)")])
        case .joined: count("realtime_joins_total")
        case .joinRefused: count("realtime_joins_refused_total")
        case .tick: count("realtime_ticks_total")
        case .dispatched(let changes, let deliveries, let elapsed, let newest):
            count("realtime_changes_total", by: changes)
            count("realtime_deliveries_total", by: deliveries)
            Recorder(label: "realtime_dispatch_seconds", factory: metrics).record(elapsed / .seconds(1))
            if let newest {
                let age = Double(WallClock.now.microsecondsSinceEpoch - newest.microsecondsSinceEpoch) / 1e6
                Recorder(label: "realtime_change_age_seconds", factory: metrics).record(max(0, age))
            }
        case .fellBehind: count("realtime_fell_behind_total")
        case .replayed(let changes): count("realtime_replayed_total", by: changes)
        case .cursorExpired: count("realtime_cursors_expired_total")
        case .databaseFault: count("realtime_database_faults_total")
        case .leading, .logBegunAgain, .maintained, .ignored: break
        }
    }
}
