import Foundation
import PostgresClient
import ServiceKit
import WireFormat

/// Where an answer was put.
struct RecordedPortfolio: Sendable {
    var id: String
    /// Of the portfolio's results.
    var revision: Int64
}

extension Optimizer {
    /// Keeps an answer: portfolio, assets, result and audit in one transaction. The same request again finds the same portfolio.
    ///
    /// The transaction also wants a recalculation, which is taken back after the commit unless a price changed between the snapshot
    /// that was solved and the commit: such a change was fanned out while the portfolio could not be seen yet.
    /// - Throws: the database's errors.
    func record(
        _ request: OptimizeRequest, _ loaded: LoadedPanel, _ solved: SolvedPortfolio, for principal: Principal,
        requestID: String
    ) async throws -> RecordedPortfolio {
        let hash = request.computationHash
        let kept = request.kept.json.serialized()
        let (recorded, wanted) = try await pool.transaction(.app(principal.tenant)) { connection in
            let existing =
                if let id = request.portfolioID {
                    try await PortfolioStore.lock(id, on: connection)
                } else {
                    try await PortfolioStore.find(requestHash: hash, name: request.name ?? "", on: connection)
                }
            let id = existing?.id ?? request.portfolioID ?? PortfolioID.make()
            let settings =
                existing.map { $0.recalculation.changed(by: request.recalculation) }
                ?? RecalculationSettings().changed(by: request.recalculation)
            let name = request.name ?? existing?.name ?? ""
            let isChanged =
                existing.map { $0.requestHash != hash || $0.name != name || $0.recalculation != settings } ?? true
            if existing == nil {
                try await PortfolioStore.insert(
                    id: id, name: name, request: kept, requestHash: hash, recalculation: settings, on: connection)
            } else if isChanged {
                try await PortfolioStore.update(
                    id: id, name: name, request: kept, requestHash: hash, recalculation: settings, on: connection)
            }
            if existing?.requestHash != hash {
                try await PortfolioStore.setAssets(
                    loaded.symbols, from: request.startDate, to: request.endDate, of: id, on: connection)
            }
            let record = ResultRecord(request: request, loaded: loaded, solved: solved, portfolioID: id)
            let (revision, isNew) = try await PortfolioStore.store(record, of: id, on: connection)
            guard isNew || isChanged else { return (RecordedPortfolio(id: id, revision: revision), Int64?.none) }
            try await PortfolioStore.audit(
                actor: principal.subject, action: existing == nil ? "portfolio.create" : "portfolio.optimize",
                object: id,
                detail: ["revision": JSONValue(Int(revision)), "fingerprint": .string(loaded.fingerprint.hex)],
                requestID: requestID, on: connection)
            return (RecordedPortfolio(id: id, revision: revision), try await PortfolioStore.want(id, on: connection))
        }
        if let wanted, let snapshot = loaded.snapshot {
            try await pool.transaction(.app(principal.tenant)) { connection in
                try await PortfolioStore.settle(recorded.id, wanted: wanted, snapshot: snapshot, on: connection)
            }
        }
        return recorded
    }
}

extension ResultRecord {
    /// What is kept of an answer: all of it but what belongs to the single call.
    init(request: OptimizeRequest, loaded: LoadedPanel, solved: SolvedPortfolio, portfolioID: String) {
        let response = OptimizeResponse(request, loaded, solved, portfolioID: portfolioID)
        var body = response.result.objectValue ?? JSONObject()
        body["meta"] = [
            "version": .string(response.meta.version), "engine": .string(response.meta.engine),
            "solve_ms": JSONValue(response.meta.solveMilliseconds),
            "periods_per_year": JSONValue(response.meta.periodsPerYear),
            "convention": .string(response.meta.convention.rawValue),
        ]
        self.init(
            requestHash: request.computationHash, fingerprint: loaded.fingerprint,
            response: JSONValue.object(body).serialized(),
            weights: (body["weights"] ?? .null).serialized(), metrics: (body["metrics"] ?? .null).serialized(),
            tick: loaded.tick ?? 0, engine: Optimizer.engine, solveMilliseconds: solved.solveMilliseconds)
    }
}

extension RecalculationSettings {
    /// What a request says, over what there was.
    func changed(by wanted: OptimizeRequest.Recalculation?) -> RecalculationSettings {
        guard let wanted else { return self }
        var settings = self
        settings.isEnabled = wanted.enabled
        settings.quietMilliseconds = wanted.quietMilliseconds ?? quietMilliseconds
        settings.maxWaitMilliseconds =
            wanted.maximumWaitMilliseconds ?? max(maxWaitMilliseconds, settings.quietMilliseconds)
        return settings
    }
}

/// Identifiers of portfolios.
enum PortfolioID {
    private static let alphabet = Array("0123456789abcdefghijkmnpqrstvwxyz".utf8)

    /// 14 random letters and digits, 70 bits.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(
            decoding: (0..<14).map { _ in alphabet[Int(generator.next(upperBound: UInt64(alphabet.count)))] },
            as: UTF8.self)
    }
}
