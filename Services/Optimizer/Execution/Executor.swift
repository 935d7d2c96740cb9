import Foundation
import Logging
import PostgresClient
import Reallocation
import ServiceKit
import WireFormat

/// Trades one plan at one venue, an event at a time: each is committed before anything follows from it, a fill together with the
/// holdings that it makes. Any process may go on where another stopped; what the venue has not said is asked for, never assumed.
final class Executor: Sendable {
    private let optimizer: Optimizer
    private let tenant: UUID
    private let planID: String
    /// Names this run: no other has ever had the same.
    let owner: String

    init(_ optimizer: Optimizer, tenant: UUID, plan: String) {
        self.optimizer = optimizer
        self.tenant = tenant
        planID = plan
        owner = optimizer.jobs.owner + "." + PortfolioID.make()
    }

    /// What a run needs and what it has come to.
    private final class Run {
        let record: ExecutionRecord
        let sheet: TradeSheet
        let venue: any TradingVenue
        let orderSeconds: Double
        var book: ExecutionBook
        var prepared: [String: JSONValue]
        var events: [ExecutionEvent]
        var days: [String: CalendarDate]
        let earlier: GainStore.Earlier
        var length: Int
        /// When each order was first waited for.
        var waits: [String: ContinuousClock.Instant] = [:]

        init(
            _ record: ExecutionRecord, _ sheet: TradeSheet, _ venue: any TradingVenue, _ book: ExecutionBook,
            log: ExecutionStore.Log, earlier: GainStore.Earlier, orderSeconds: Double
        ) {
            self.record = record
            self.sheet = sheet
            self.venue = venue
            self.book = book
            prepared = log.prepared
            events = log.events
            days = log.days
            self.earlier = earlier
            length = log.length
            self.orderSeconds = orderSeconds
        }

        /// The booking of all fills so far.
        func booking(adding event: ExecutionEvent? = nil) -> TaxBooking {
            sheet.booking(events + (event.map { [$0] } ?? []), days: days, earlier: earlier)
        }

        func order(_ clientID: String) -> VenueOrder? {
            guard let order = book.orders.first(where: { $0.clientID == clientID }) else { return nil }
            let leg = sheet.legs[order.leg]
            return VenueOrder(
                clientID: clientID, asset: leg.asset, isSale: leg.isSale, quantity: order.quantity,
                limitPrice: book.limits.limitPrice(leg, attempt: order.attempt))
        }
    }

    /// Works until the plan has ended; its report. Nil where another process has the execution, or where it is paused and nothing is open.
    func run() async throws -> JSONValue? {
        guard let run = try await load() else { return nil }
        do {
            while true {
                switch try await step(run) {
                case .more: continue
                case .rests: return nil
                case .ended: return try await finish(run)
                }
            }
        } catch is ExecutionLost {
            return nil
        } catch {
            let (planID, owner) = (planID, owner)
            try? await optimizer.pool.transaction(.app(tenant)) { connection in
                try await ExecutionStore.release(planID, owner: owner, on: connection)
            }
            throw error
        }
    }

    private func load() async throws -> Run? {
        let (planID, owner) = (planID, owner)
        let loaded = try await optimizer.pool.transaction(.app(tenant)) { connection -> Loaded? in
            guard try await ExecutionStore.hold(planID, owner: owner, on: connection),
                let record = try await ExecutionStore.find(planID, on: connection),
                let plan = try await PlanStore.find(planID, locks: false, on: connection)
            else { return nil }
            let request = try await PlanStore.request(of: planID, on: connection)
            let log = try await ExecutionStore.log(of: planID, on: connection)
            return Loaded(
                record: record, sheet: try TradeSheet(plan, request: request, holdings: record.before), log: log,
                earlier: try await GainStore.earlier(than: planID, of: record.portfolioID, on: connection),
                spent: try await ExecutionStore.spentToday(on: connection))
        }
        guard let loaded else { return nil }
        let settings = try ExecutionSettings(json: loaded.record.settings)
        var limits = settings.limits
        limits.spentToday = loaded.spent
        limits.order = [limits.order, optimizer.trading.orderLimit].compactMap { $0 }.min()
        limits.day = [limits.day, optimizer.trading.dayLimit].compactMap { $0 }.min()
        // What this plan has filled already is in its own books.
        var book = loaded.sheet.book(limits)
        book.replay(loaded.log.events)
        let venue = try optimizer.trading.venue(
            loaded.record.venue, sheet: loaded.sheet, settings: settings, log: loaded.log.events)
        return Run(
            loaded.record, loaded.sheet, venue, book, log: loaded.log, earlier: loaded.earlier,
            orderSeconds: settings.orderSeconds)
    }

    private final class Loaded: Sendable {
        let record: ExecutionRecord
        let sheet: TradeSheet
        let log: ExecutionStore.Log
        let earlier: GainStore.Earlier
        let spent: FixedDecimal

        init(
            record: ExecutionRecord, sheet: TradeSheet, log: ExecutionStore.Log, earlier: GainStore.Earlier,
            spent: FixedDecimal
        ) {
            self.record = record
            self.sheet = sheet
            self.log = log
            self.earlier = earlier
            self.spent = spent
        }
    }

    // MARK: One step

    private enum Step { case more, rests, ended }

    /// The next thing to be done.
    private func step(_ run: Run) async throws -> Step {
        try Task.checkCancellation()
        var isPaused = false
        if run.book.stop == nil, run.book.halt == nil {
            let (planID, owner) = (planID, owner)
            let wishes = try await optimizer.pool.transaction(.app(tenant)) { connection in
                guard try await ExecutionStore.hold(planID, owner: owner, on: connection) else { throw ExecutionLost() }
                return try await ExecutionStore.wishes(planID, on: connection)
            }
            if let reason = wishes.stop { try await write(.stopped(reason: reason), run) }
            isPaused = wishes.isPaused && wishes.stop == nil
        }
        let next = run.book.next()
        if isPaused, next.sendsAnew {
            let (planID, owner) = (planID, owner)
            let rests = try await optimizer.pool.transaction(.app(tenant)) { connection in
                try await ExecutionStore.rest(planID, owner: owner, on: connection)
            }
            return rests ? .rests : .more
        }
        switch next {
        case .finished: return .ended
        case .record(let event): try await write(event, run)
        case .submit(let clientID, _, _): try await submit(clientID, run)
        case .cancel(let clientID):
            guard let order = run.order(clientID) else { return .ended }
            do {
                try await run.venue.cancel(order)
                run.book.noteAsked(clientID)
            } catch {
                try await pause(run, error)
            }
        case .lookup(let clientID): try await look(clientID, run, isOpen: false)
        case .await(let clientID): try await look(clientID, run, isOpen: true)
        }
        return .more
    }

    private func submit(_ clientID: String, _ run: Run) async throws {
        guard let order = run.order(clientID) else { return }
        if run.prepared[clientID] == nil {
            do {
                if let detail = try await run.venue.prepare(order) {
                    let entry: JSONValue = ["event": "prepared", "id": .string(clientID), "detail": detail]
                    try await append(entry, run)
                    run.prepared[clientID] = detail
                }
            } catch let error as VenueError {
                // Nothing was sent yet: it is tried again for as long as an order may wait, then the leg is over.
                let since = run.waits[clientID] ?? .now
                run.waits[clientID] = since
                guard error.isFinal || (ContinuousClock.now - since) / .seconds(1) >= run.orderSeconds else {
                    return try await pause(run, error)
                }
                return try await write(.rejected(clientID: clientID, reason: error.description), run)
            }
        }
        try await failpoint("execution.before_submit")
        let answer = await run.venue.submit(order, prepared: run.prepared[clientID])
        try await failpoint("execution.after_submit")
        switch answer {
        case .accepted: try await write(.accepted(clientID: clientID), run)
        case .rejected(let reason): try await write(.rejected(clientID: clientID, reason: reason), run)
        case .unknown: try await write(.unanswered(clientID: clientID), run)
        }
    }

    /// Asks the venue for an order and books what is new.
    private func look(_ clientID: String, _ run: Run, isOpen: Bool) async throws {
        guard let order = run.order(clientID) else { return }
        let state: VenueOrderState?
        do {
            state = try await run.venue.lookup(order, prepared: run.prepared[clientID])
        } catch {
            return try await pause(run, error)
        }
        guard let state else {
            if isOpen { return try await pause(run, VenueError("\(clientID) is not there any more")) }
            run.prepared[clientID] = nil
            return try await write(.absent(clientID: clientID), run)
        }
        if let rejection = state.rejection, state.filled == 0 {
            return try await write(.rejected(clientID: clientID, reason: rejection), run)
        }
        if !isOpen { try await write(.accepted(clientID: clientID), run) }
        var isNew = false
        for fill in state.fills where !run.book.fills.contains(fill.id) {
            isNew = true
            try await write(
                .fill(clientID: clientID, fillID: fill.id, quantity: fill.quantity, price: fill.price), run)
        }
        guard let booked = run.book.orders.first(where: { $0.clientID == clientID }) else { return }
        if state.isClosed, !booked.state.isTerminal {
            // The venue's count may be ahead of the fills that have arrived: then they are waited for.
            if booked.filled == state.filled {
                return try await write(.closed(clientID: clientID, filled: state.filled), run)
            }
            return try await pause(run, nil, for: clientID)
        }
        guard !booked.state.isTerminal, !isNew else { return }
        let since = run.waits[clientID] ?? .now
        run.waits[clientID] = since
        if booked.state != .pendingCancel, (ContinuousClock.now - since) / .seconds(1) >= run.orderSeconds {
            return try await write(.cancelRequested(clientID: clientID, reason: "not filled in time"), run)
        }
        try await pause(run, nil, for: clientID)
    }

    private func pause(_ run: Run, _ error: (any Error)?, for clientID: String? = nil) async throws {
        if let error {
            optimizer.logger.warning(
                "A venue could not be asked, trying again",
                metadata: ["venue": "\(run.venue.name)", "plan": "\(planID)", "error": "\(error)"])
        }
        // Orders fill when the market wants: what nobody tells is asked for again after a time.
        let waited = clientID.flatMap { run.waits[$0] }.map { (ContinuousClock.now - $0) / .seconds(1) } ?? 0
        try await run.venue.pause(
            for: clientID, atLeast: error == nil ? .zero : .milliseconds(200),
            atMost: .seconds(max(0, run.orderSeconds - waited)))
    }

    // MARK: Writing

    /// Commits an event, and with a fill the holdings that it makes; only then the books in memory follow.
    private func write(_ event: ExecutionEvent, _ run: Run) async throws {
        var next = run.book
        let fills = next.fills.count
        next.apply(event)
        var entry = event.json
        var filled: FilledBooks?
        if case .fill(let clientID, let fillID, let quantity, let price) = event, next.fills.count > fills,
            let order = run.order(clientID)
        {
            let day = UTCTimestamp.now.date
            run.days[fillID] = day
            if case .object(var object) = entry {
                object["on"] = .string(day.description)
                entry = .object(object)
            }
            let booking = run.booking(adding: event)
            filled = FilledBooks(
                fill: fillID, asset: order.asset, isSale: order.isSale, quantity: quantity, price: price,
                family: run.sheet.rules.family(of: order.asset), booking: booking,
                holdings: run.sheet.holdings(after: next, booking))
        }
        try await append(entry, run, filled: filled)
        // The book in memory applies it itself: it also knows what is fresh.
        run.book.apply(event)
        run.events.append(event)
        try await failpoint("execution.after_event")
    }

    /// Writes the next entry, and with a fill cash, positions, lots, results, wash sales and audit: one commit.
    private func append(_ entry: JSONValue, _ run: Run, filled: FilledBooks? = nil) async throws {
        let (planID, owner, seq, record) = (planID, owner, run.length + 1, run.record)
        try await optimizer.pool.transaction(.app(tenant)) { connection in
            guard try await ExecutionStore.hold(planID, owner: owner, on: connection) else { throw ExecutionLost() }
            try await ExecutionStore.append(entry, at: seq, of: planID, on: connection)
            try await filled?.write(planID, record, on: connection)
            try await failpoint("execution.before_commit")
        }
        run.length = seq
        try await failpoint("execution.after_commit")
    }

    /// Verification against the venue, the plan's last states, the report: one commit.
    private func finish(_ run: Run) async throws -> JSONValue? {
        var account: VenueAccount?
        if run.book.halt == nil {
            // Without the venue's word there is no verification: it is waited for.
            while account == nil {
                do {
                    account = try await run.venue.account(of: Array(run.book.positions.keys).sorted())
                } catch {
                    try await pause(run, error)
                }
            }
        }
        let book = run.book
        let isWhole = run.sheet.legs.indices.allSatisfy { book.filled($0) == run.sheet.legs[$0].quantity }
        // Brokers take the fees of sales at the end of the day; the paper broker at once.
        let inFlight = run.venue.name == "paper" ? 0 : book.saleFeesCharged
        let differences =
            account.map {
                book.differences(venueCash: $0.cash, venuePositions: $0.positions, inFlight: inFlight)
            } ?? []
        let (planID, owner, record, sheet, booking) = (planID, owner, run.record, run.sheet, run.booking())
        return try await optimizer.pool.transaction(.app(tenant)) { connection -> JSONValue? in
            guard let plan = try await PlanStore.find(planID, locks: true, on: connection) else { return nil }
            if let report = try await PlanStore.execution(of: planID, on: connection) { return report }
            guard try await ExecutionStore.hold(planID, owner: owner, on: connection) else { throw ExecutionLost() }
            var state = plan.state
            func advance(_ next: String, _ reason: String) async throws {
                try await PlanStore.move(
                    planID, from: state, to: next, actor: record.actor, reason: reason, requestID: record.requestID,
                    on: connection)
                state = next
            }
            if let halt = book.halt {
                try await advance("HALTED", halt)
            } else {
                try await advance(
                    isWhole ? "COMPLETED" : "COMPLETED_SHORT",
                    book.stop ?? (isWhole ? "every leg has ended" : "some legs are short"))
                if differences.isEmpty {
                    try await advance("VERIFIED", "books and venue agree")
                    try await advance("RECORDED", "fills, cash, positions and lots are booked")
                } else {
                    try await advance("MISMATCH", differences.joined(separator: "; "))
                }
            }
            let prices = try await PlanStore.quotes(of: sheet.legs.map { $0.asset }, on: connection)
            let report = sheet.report(
                of: book, booking: booking, plan: planID, venue: record.venue, state: state, differences: differences,
                endPrices: prices.mapValues { $0.price })
            try await TradingCostStore.learn(
                sheet.observations(of: book), at: record.venue, on: connection)
            try await PlanStore.setExecution(report, of: planID, on: connection)
            try await ExecutionStore.end(planID, on: connection)
            return report
        }
    }
}
