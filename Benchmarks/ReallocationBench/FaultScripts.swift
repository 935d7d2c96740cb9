import Reallocation
import WireFormat

/// Seeded scripts of faults on the order machine and the paper broker: crashes around every write, answers lost before and after the venue
/// acted, fills repeated, late and out of order, cancels that cross fills, reprices, a kill switch in the middle.
enum FaultScripts {
    static func run(scripts: Int, first: Int) {
        var total = Tally()
        for seed in first..<(first + scripts) {
            var script = Script(seed: UInt64(seed))
            script.run()
            total.add(script.tally)
            if script.tally.isBroken { ReallocationBench.say(["broken": JSONValue(seed), "why": .string(script.why)]) }
        }
        ReallocationBench.say(total.json(scripts: scripts))
    }

    struct Tally {
        var crashes = 0
        var faults = 0
        var doubles = 0
        var mismatches = 0
        var replays = 0
        var endless = 0
        var isBroken: Bool { doubles + mismatches + replays + endless > 0 }

        mutating func add(_ other: Tally) {
            crashes += other.crashes
            faults += other.faults
            doubles += other.doubles
            mismatches += other.mismatches
            replays += other.replays
            endless += other.endless
        }

        func json(scripts: Int) -> JSONValue {
            [
                "scripts": JSONValue(scripts), "crashes": JSONValue(crashes), "faults": JSONValue(faults),
                "double_orders": JSONValue(doubles), "mismatches": JSONValue(mismatches), "replays": JSONValue(replays),
                "endless": JSONValue(endless),
            ]
        }
    }

    private struct Script {
        var random: SplitMix64
        var venue: PaperVenue
        let start: ExecutionBook
        var book: ExecutionBook
        var log: [ExecutionEvent] = []
        var mail: [PaperVenue.Fill] = []
        /// Requests that are still on the wire: they arrive late.
        var wire: [(clientID: String, leg: Int, quantity: FixedDecimal)] = []
        var tally = Tally()
        var why = ""

        init(seed: UInt64) {
            random = SplitMix64(seed: seed)
            func cents(_ value: Int) -> FixedDecimal { FixedDecimal(value) / 100 }
            let quotes = [
                "A": MarketQuote(price: 20, halfSpread: cents(1), dailyVolume: 100_000, dailyVolatility: 0.02),
                "B": MarketQuote(price: 44, halfSpread: cents(2), dailyVolume: 50_000, dailyVolatility: 0.03),
                "C": MarketQuote(price: 7, halfSpread: cents(1), dailyVolume: 10_000, dailyVolatility: 0.01),
            ]
            let positions: [String: FixedDecimal] = ["A": 80, "B": 10, "C": 0]
            let cash = FixedDecimal(50 + random.integer(500))
            let commission = CommissionSchedule(perShare: cents(1) / 2, minimum: 1)
            venue = PaperVenue(
                cash: cash, positions: positions, quotes: quotes,
                settings: .init(commission: commission, partialShare: 0.4, rejectShare: 0.05), seed: random.next())
            var limits = ExecutionLimits()
            limits.attempts = 1 + random.integer(3)
            limits.repriceStep = cents(1)
            limits.collar = cents(20)
            start = ExecutionBook(
                legs: [
                    ExecutionLeg(
                        asset: "A", isSale: true, quantity: 50, limitPrice: 19, lots: [("l1", 30), ("l2", 20)],
                        reference: 20),
                    ExecutionLeg(asset: "B", isSale: false, quantity: 25, limitPrice: 45, reference: 44),
                    ExecutionLeg(
                        asset: "B", isSale: true, quantity: 5, limitPrice: 43, lots: [("l3", 5)], reference: 44),
                    ExecutionLeg(asset: "C", isSale: false, quantity: 40, limitPrice: 8, reference: 7),
                ], cash: cash, positions: positions, commission: commission, limits: limits,
                identify: { leg, attempt in "p\(leg)-\(attempt)" })
            book = start
        }

        mutating func crashMaybe() {
            guard random.uniform() < 0.06 else { return }
            tally.crashes += 1
            book = start
            book.replay(log)
        }

        mutating func write(_ event: ExecutionEvent) {
            crashMaybe()
            log.append(event)
            book.apply(event)
            crashMaybe()
        }

        mutating func fault(_ chance: Double) -> Bool {
            let strikes = random.uniform() < chance
            if strikes { tally.faults += 1 }
            return strikes
        }

        mutating func adopt(_ clientID: String) {
            guard let order = venue.lookup(clientID) else { return write(.absent(clientID: clientID)) }
            if order.isRejected { return write(.rejected(clientID: clientID, reason: "venue")) }
            write(.accepted(clientID: clientID))
            for fill in venue.fills(of: clientID) {
                write(.fill(clientID: clientID, fillID: fill.fillID, quantity: fill.quantity, price: fill.price))
            }
            if order.isClosed { write(.closed(clientID: clientID, filled: order.filled)) }
        }

        mutating func deliver(_ clientID: String, _ leg: Int, _ quantity: FixedDecimal) -> PaperVenue.Answer {
            let one = start.legs[leg]
            return venue.submit(clientID: clientID, asset: one.asset, isSale: one.isSale, quantity: quantity)
        }

        mutating func step() -> Bool {
            if !wire.isEmpty, random.uniform() < 0.5 {
                let late = wire.removeFirst()
                _ = deliver(late.clientID, late.leg, late.quantity)
            }
            if random.uniform() < 0.01 { write(.stopped(reason: "kill switch")) }
            switch book.next() {
            case .finished: return false
            case .record(let event): write(event)
            case .submit(let clientID, let leg, let quantity):
                if fault(0.1) {
                    // Lost before the venue, or only late.
                    if random.uniform() < 0.5 { wire.append((clientID, leg, quantity)) }
                    write(.unanswered(clientID: clientID))
                    return true
                }
                let answer = deliver(clientID, leg, quantity)
                crashMaybe()
                if fault(0.15) {
                    write(.unanswered(clientID: clientID))
                } else {
                    switch answer {
                    case .accepted: write(.accepted(clientID: clientID))
                    case .rejected(let reason): write(.rejected(clientID: clientID, reason: reason))
                    case .duplicate: write(.unanswered(clientID: clientID))
                    }
                }
            case .cancel(let clientID):
                if !fault(0.2) { _ = venue.cancel(clientID) }
                if !fault(0.2) { book.noteAsked(clientID) }
                if random.uniform() < 0.5 { adopt(clientID) }
            case .lookup(let clientID): if !fault(0.2) { adopt(clientID) }
            case .await(let clientID):
                mail += venue.trade(clientID)
                if random.uniform() < 0.05 { write(.cancelRequested(clientID: clientID, reason: "too slow")) }
                if random.uniform() < 0.2 {
                    adopt(clientID)
                    // A cancel that got lost is asked for again.
                    if random.uniform() < 0.2 { _ = venue.cancel(clientID) }
                }
            }
            // The stream: late, repeated, in any order, sometimes not at all.
            if !mail.isEmpty, random.uniform() < 0.7 {
                let fill = mail[random.integer(mail.count)]
                write(.fill(clientID: fill.clientID, fillID: fill.fillID, quantity: fill.quantity, price: fill.price))
            }
            return true
        }

        mutating func run() {
            var steps = 0
            while step(), steps < 5000 { steps += 1 }
            if steps >= 5000 {
                tally.endless = 1
                why = "does not end"
                return
            }
            // What the stream lost is found by asking.
            for clientID in venue.orders.keys.sorted() where venue.orders[clientID]?.isRejected == false {
                adopt(clientID)
            }
            let intents = Dictionary(grouping: book.orders) { $0.clientID }
            let wanted = book.legs.indices.map { (leg: $0, filled: book.filled($0)) }
            if intents.values.contains(where: { $0.count > 1 })
                || venue.orders.keys.contains(where: { intents[$0] == nil })
                || wanted.contains(where: { $0.filled > book.legs[$0.leg].quantity })
            {
                tally.doubles = 1
                why += "an order twice or of nobody; "
            }
            let differences = book.differences(venueCash: venue.cash, venuePositions: venue.positions)
            if book.halt != nil || !differences.isEmpty || book.cash < 0 || book.fills.count != venue.fills.count {
                tally.mismatches = 1
                why += "\(book.halt ?? "") \(differences)"
            }
            var again = start
            again.replay(log)
            if again.json.bytes() != book.json.bytes() {
                tally.replays = 1
                why += " the replay differs"
            }
        }
    }
}
