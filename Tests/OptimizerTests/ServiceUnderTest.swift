import Foundation
import HTTPTypes
import Hummingbird
import Logging
import PostgresClient
import ServiceKit
import ServiceLifecycle
import TestSupport
import Testing
import WireFormat

@testable import Optimizer

/// The service's parts over a database of its own, called without a socket. Prices are written through SQL, as others would.
struct ServiceUnderTest: Sendable {
    let database: TestDatabase
    let admin: PostgresPool
    let optimizer: Optimizer
    let client: RouterClient<RouterResponder<BallastRequestContext>>
    let key: String
    let registry = PrometheusRegistry()

    init(
        trading: TradingDesk = TradingDesk(), access: (Routes.Access) -> Routes.Access = { $0 }
    ) async throws {
        database = try await TestDatabase.create()
        admin = try database.adminPool()
        let pool = try database.pool(size: 8)
        optimizer = Optimizer(
            pool: pool, solverThreads: 2, trading: trading, registry: registry, logger: TestPostgres.logger)
        let keys = APIKeys(pool)
        key = try await keys.create(
            name: "test", scopes: [.dataRead, .optimize, .rebalancePlan, .rebalanceConfirm, .rebalanceExecute]
        )
        .reveal()
        client = RouterClient(
            Routes.router(
                optimizer,
                access: access(
                    Routes.Access(authenticator: Authenticator(keys: keys, tokens: nil), registry: registry)),
                registry: registry))
    }

    /// Runs `body` on a fresh service and ends it afterwards.
    static func with(
        trading: TradingDesk = TradingDesk(), access: (Routes.Access) -> Routes.Access = { $0 },
        _ body: (ServiceUnderTest) async throws -> Void
    ) async throws {
        let service = try await ServiceUnderTest(trading: trading, access: access)
        do {
            try await body(service)
            await service.close()
        } catch {
            await service.close()
            throw error
        }
    }

    private func close() async {
        optimizer.solver.stop()
        await optimizer.pool.close()
        await admin.close()
    }

    /// The same with listener and worker running.
    func recalculating(_ body: () async throws -> Void) async throws {
        let listener = Listener(
            optimizer: optimizer,
            notifications: PostgresListener(try database.configuration(), logger: TestPostgres.logger),
            realtime: nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            group.addTask { try await Worker(optimizer: optimizer).run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    // MARK: Calls

    func call(
        _ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil, key: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> RouterClient<RouterResponder<BallastRequestContext>>.Answer {
        var headers = headers
        headers[.authorization] = "Bearer \(key ?? self.key)"
        return try await client.send(method, path, headers: headers, body: body?.serialized())
    }

    func optimize(_ body: JSONValue, headers: HTTPFields = [:]) async throws -> JSONValue {
        let answer = try await call(.post, "/api/portfolio/optimize", body, headers: headers)
        try #require(answer.status == 200, "\(answer.status): \(answer.text)")
        return try #require(answer.json)
    }

    // MARK: Data

    /// Daily prices from 2018-01-01 on, weekdays only, a fixed pseudo-random walk a symbol.
    func writePrices(_ symbols: [String], days: Int = 300, from start: String = "2018-01-01") async throws {
        for (n, symbol) in symbols.enumerated() {
            let seed = n + 1
            _ = try await admin.execute(
                """
                INSERT INTO public.market_data (asset_symbol, "timestamp", price)
                SELECT \(symbol), d.day, round((100 * exp(sum(0.0004 * \(seed)
                    + 0.01 * sin(d.k * (1.7 + 0.31 * \(seed))) * (1 + 0.5 * cos(d.k * 0.37 * \(seed)))) OVER (ORDER BY d.k)))::numeric, 4)
                FROM (SELECT day, row_number() OVER (ORDER BY day)::int AS k
                      FROM generate_series(\(start)::text::timestamptz, \(start)::text::timestamptz + interval '5 years', interval '1 day') day
                      WHERE extract(isodow FROM day) < 6) d
                WHERE d.k <= \(days)
                """)
        }
    }

    /// A key of another tenant.
    func foreignKey() async throws -> String {
        let tenant = UUID()
        _ = try await admin.execute("INSERT INTO ballast.tenant (tenant_id, name) VALUES (\(tenant), 'other')")
        return try await APIKeys(optimizer.pool).create(
            name: "foreign", scopes: [.dataRead, .optimize, .rebalancePlan, .rebalanceConfirm, .rebalanceExecute],
            tenant: tenant
        ).reveal()
    }

    /// Waits until a claim about the database holds, woken by the change log's own NOTIFY, and by one of our own each quarter
    /// second: a run that ends without a new result notifies nobody.
    func waitUntil(
        _ what: String, limit: Duration = .seconds(90), _ isTrue: @escaping @Sendable () async throws -> Bool
    ) async throws {
        let listener = PostgresListener(try database.configuration(), logger: TestPostgres.logger)
        try await withDeadline(limit) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        _ = try await admin.query("SELECT pg_sleep(0.25)::text, pg_notify('rt_tick', '')::text")
                    }
                }
                group.addTask {
                    for await _ in listener.notifications(channels: ["rt", "rt_tick"]) {
                        if try await isTrue() { return }
                    }
                }
                // The first to end is the claim that holds, or a failure.
                try await group.next()
                group.cancelAll()
            }
        }
    }
}

/// The specification's request, verbatim.
let specification: JSONValue = [
    "assets": ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"], "start_date": "2018-01-01", "end_date": "2023-01-01",
    "model": "Classic", "risk_measure": "MV", "objective": "Sharpe", "risk_free_rate": 0.0,
    "constraints": [
        "lower_bound": 0.0, "upper_bound": 0.3,
        "groups": ["Tech": ["AAPL", "MSFT", "GOOGL"], "Finance": ["JPM", "BAC"]],
        "group_constraints": ["Tech": ["min": 0.2, "max": 0.6], "Finance": ["min": 0.1, "max": 0.4]],
    ],
]
