import WireFormat

/// The state of an installation, for people and as JSON.
struct StatusReport {
    let services: [ServiceStatus]
    /// Nil where no database was asked or it did not answer.
    let database: DatabaseStatus?
    let databaseFailure: String?

    var isWell: Bool {
        services.allSatisfy { $0.isReady } && databaseFailure == nil && (database?.isCurrent ?? true)
    }

    var json: JSONValue {
        [
            "well": .bool(isWell), "services": .array(services.map { $0.json }), "database": database?.json ?? .null,
            "database_failure": JSONValue(databaseFailure),
        ]
    }

    var text: String {
        var table = TextTable([
            ("Service", .left), ("State", .left), ("Version", .left), ("Address", .left), ("", .left),
        ])
        for service in services {
            let state = service.isReady ? "ready" : service.isReachable ? "not ready" : "unreachable"
            let faults = service.checks.filter { !$0.isOK }.map { "\($0.name): \($0.detail)" }
            table.add(service.name, state, service.version ?? "-", service.address, faults.joined(separator: "; "))
        }
        var blocks = [table.text]
        if let databaseFailure { blocks.append("Database: \(databaseFailure)") }
        if let database { blocks.append(text(database)) }
        return blocks.joined(separator: "\n\n")
    }

    private func text(_ database: DatabaseStatus) -> String {
        var table = TextTable([("Database", .left), ("", .right)])
        let known = database.knownMigrations.map { " of \($0)" } ?? ""
        table.add("migration", "\(database.migration)\(known)")
        for amount in database.amounts { table.add(amount.name, Figures.grouped(amount.count)) }
        for latest in database.latest { table.add(latest.name, latest.at?.isoString ?? "-") }
        let oldest = database.oldestJobSeconds.map { ", oldest \(Figures.fixed($0, digits: 1)) s" } ?? ""
        table.add("recalculations waiting", "\(database.waitingJobs)\(oldest)")
        table.add("recalculations parked", "\(database.parkedJobs)")
        table.add("change feed lag", database.feedLagSeconds.map { "\(Figures.fixed($0, digits: 1)) s" } ?? "none")
        return table.text
    }
}
