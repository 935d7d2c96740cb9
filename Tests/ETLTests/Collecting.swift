import Foundation
import Logging
import MarketData
import PostgresClient
import ServiceKit
import TestSupport
import Testing
import WireFormat

@testable import ETL

/// A collector on a database of its own, and what it did.
struct Collecting {
    let database: TestDatabase
    let pool: PostgresPool
    let events: AsyncStream<Event>
    private let sink: AsyncStream<Event>.Continuation

    init() async throws {
        database = try await TestDatabase.create()
        pool = try database.pool(size: 6)
        (events, sink) = AsyncStream.makeStream()
    }

    func collector(_ jobs: [Job] = []) -> Collector {
        let sink = sink
        return Collector(
            configuration: Configuration(environment: [:]), pool: pool, jobs: jobs, logger: TestPostgres.logger,
            tap: { sink.yield($0) })
    }

    /// Stores bars as a batch of a fresh run.
    @discardableResult
    func store(
        _ bars: [MarketBar], quarantined: [QuarantinedRow] = [], source: String = "csv"
    ) async throws -> BatchCounts {
        let run = try await collector().runs.begin(job: "test", source: source)
        let batch = Batch(bars: bars, quarantined: quarantined)
        return try await BatchStore(pool: pool).store(batch, job: "test", source: source, run: run)
    }

    /// The table as text: symbol, date, price, volume, return, source.
    func table() async throws -> [String] {
        let rows = try await pool.query(
            """
            SELECT concat_ws(' ', asset_symbol, ("timestamp" AT TIME ZONE 'UTC')::date, trim_scale(price),
                coalesce(trim_scale(volume)::text, '-'), coalesce(round("return", 6)::text, '-'), source)
            FROM public.market_data ORDER BY asset_symbol, "interval", "timestamp"
            """)
        return try rows.map { try $0.decode(String.self, at: 0) }
    }

    func number(_ sql: SQL) async throws -> Int {
        try #require(try await pool.query(sql).first?.decode(Int.self, at: 0))
    }

    func fingerprint() async throws -> String {
        let rows = try await pool.query(
            """
            SELECT md5(string_agg(concat_ws('|', asset_symbol, "interval", extract(epoch FROM "timestamp"), price, volume,
                "return", source, quality), E'\\n' ORDER BY asset_symbol, "interval", "timestamp")) || ' ' || count(*)
            FROM public.market_data
            """)
        return try #require(rows.first).decode(String?.self, at: 0) ?? "empty"
    }
}

/// A daily bar.
func bar(
    _ symbol: String, _ day: String, _ price: String, volume: String? = nil, quality: QualityFlags = []
) throws -> MarketBar {
    MarketBar(
        symbol: symbol, interval: .day, start: try #require(CalendarDate(iso: day)).start,
        price: try #require(DecimalNumber(price)), volume: volume.flatMap { DecimalNumber($0) }, quality: quality)
}

/// A folder that goes with its owner.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("etl-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
    }
}

/// A wide file of made-up prices under made-up names.
func syntheticCSV(days: Int, symbols: Int) throws -> String {
    let first = try #require(CalendarDate(iso: "2000-01-01"))
    var text = "date," + (0..<symbols).map { "SYN\($0)" }.joined(separator: ",") + "\n"
    var state: UInt64 = 42
    for day in 0..<days {
        text += first.adding(days: day)?.description ?? ""
        for _ in 0..<symbols {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            text += ",\(50 + Int(state >> 33) % 100).\(10 + Int(state >> 50) % 90)"
        }
        text += "\n"
    }
    return text
}
