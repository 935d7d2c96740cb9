/// Lots of one asset of which some were bought within the wash-sale window: as far as they are kept they take losses of the others away,
/// share for share.
///
/// With rates of tax that are not negative, and for given steps from short-term and from recent lots, one choice of lots is best as long as at most
/// one recent lot stands at a loss: recent lots by gain, smallest first; of the other losses the oldest first, as many as are taken away whatever
/// is sold; then by gain. (Of several recent losses the older ones may be worth giving up first; searches over every lot see that.) What of a loss
/// is allowed is the law's matching, the oldest share sold with the oldest purchase, as in `WashSale`.
struct WashedLots: Sendable {
    struct Lot: Sendable {
        var id: String
        /// Of a step.
        var gain: Double
        /// In steps.
        var size: Double
        var isShort: Bool
        /// Bought within the window: what is kept of it replaces shares of other lots.
        var isRecent: Bool
    }
    /// Lots that may be sold, the oldest first.
    let lots: [Lot]
    /// Purchases within the window, the oldest first: the place of the lot, or nil for steps that stay.
    let purchases: [(lot: Int?, size: Double)]
    /// Places in `lots`: recent ones by gain; losses that are not recent by age; all others than the recent ones by gain.
    private let recent: [Int]
    private let losses: [Int]
    private let others: [Int]
    /// Steps of all purchases, of those of a lot that may be sold, and of those that stand at a loss.
    let purchased: Double
    let recentSteps: Double
    private let recentLosses: Double

    init(lots: [Lot], purchases: [(lot: Int?, size: Double)]) {
        self.lots = lots
        self.purchases = purchases
        recent = lots.indices.filter { lots[$0].isRecent }.sorted { (lots[$0].gain, $0) < (lots[$1].gain, $1) }
        losses = lots.indices.filter { !lots[$0].isRecent && lots[$0].gain < 0 }
        others = lots.indices.filter { !lots[$0].isRecent }.sorted { (lots[$0].gain, $0) < (lots[$1].gain, $1) }
        purchased = purchases.reduce(0) { $0 + $1.size }
        recentSteps = recent.reduce(0) { $0 + lots[$1].size }
        recentLosses = recent.reduce(0) { $0 + (lots[$1].gain < 0 ? lots[$1].size : 0) }
    }

    // MARK: What a sale realises

    /// Results by side and how they change while steps of one lot are sold, up to where the matching changes.
    struct Results {
        var short = 0.0
        var long = 0.0
        var shortRate = 0.0
        var longRate = 0.0
        var reach = Double.infinity
    }

    /// A quantity and its change for a step sold.
    private struct Flow {
        var at: Double
        var rate: Double

        static func - (a: Flow, b: Flow) -> Flow { Flow(at: a.at - b.at, rate: a.rate - b.rate) }
    }

    /// Matches the losses among the steps taken of each lot with the purchases that are kept.
    func results(_ taken: [Double], selling: Int? = nil) -> Results {
        var found = Results()
        let tiny = 1e-13 * (purchased + taken.reduce(1, +))
        func least(_ a: Flow, _ b: Flow) -> Flow {
            let distance = b.at - a.at
            if distance.magnitude <= tiny { return a.rate <= b.rate ? a : b }
            let (low, high) = distance > 0 ? (a, b) : (b, a)
            if low.rate > high.rate { found.reach = min(found.reach, distance.magnitude / (low.rate - high.rate)) }
            return low
        }
        var kept = purchases.map { purchase in
            Flow(
                at: purchase.size - (purchase.lot.map { taken[$0] } ?? 0),
                rate: purchase.lot != nil && purchase.lot == selling ? -1 : 0)
        }
        for (index, lot) in lots.enumerated() {
            let sold = Flow(at: taken[index], rate: index == selling ? 1 : 0)
            var allowed = sold
            if lot.gain < 0, sold.at > 0 || sold.rate > 0 {
                for place in kept.indices where purchases[place].lot != index {
                    let matched = least(allowed, kept[place])
                    allowed = allowed - matched
                    kept[place] = kept[place] - matched
                }
            }
            if lot.isShort {
                found.short += lot.gain * allowed.at
                found.shortRate += lot.gain * allowed.rate
            } else {
                found.long += lot.gain * allowed.at
                found.longRate += lot.gain * allowed.rate
            }
        }
        return found
    }

    /// The results of selling lots one after the other.
    func order(_ queue: [(lot: Int, size: Double)]) -> LotOrder {
        var taken = [Double](repeating: 0, count: lots.count)
        var pieces: [LotOrder.Piece] = []
        var (at, shortSteps, recentSteps) = (0.0, 0.0, 0.0)
        for part in queue {
            let lot = lots[part.lot]
            var rest = part.size
            while rest > 0 {
                let now = results(taken, selling: part.lot)
                // A last bit of a stretch is no stretch of its own.
                let run = now.reach >= rest * (1 - 1e-12) ? rest : now.reach
                pieces.append(
                    LotOrder.Piece(
                        from: at, to: at + run, short: now.shortRate, long: now.longRate, shortBefore: now.short,
                        longBefore: now.long, isShort: lot.isShort, shortStepsBefore: shortSteps,
                        isRecent: lot.isRecent, recentStepsBefore: recentSteps))
                at += run
                if lot.isShort { shortSteps += run }
                if lot.isRecent { recentSteps += run }
                taken[part.lot] += run
                rest -= run
            }
        }
        return LotOrder(pieces: pieces)
    }

    // MARK: Which lots

    /// Steps of each lot for a sale of x steps, so many of them from short-term and from recent lots.
    func taken(_ x: Double, fromShort: Double, fromRecent: Double) -> [Double] {
        var taken = [Double](repeating: 0, count: lots.count)
        func take(_ place: Int, _ most: Double) -> Double {
            let part = max(0, min(most, lots[place].size - taken[place]))
            taken[place] += part
            return part
        }
        var (left, short) = (fromRecent, fromShort)
        for place in recent where left > 0 {
            let part = take(place, left)
            left -= part
            if lots[place].isShort { short -= part }
        }
        var replaced = purchased - fromRecent
        var long = x - fromRecent - short
        func takeOther(_ place: Int, _ most: Double) -> Double {
            let part = take(place, min(most, lots[place].isShort ? short : long))
            if lots[place].isShort { short -= part } else { long -= part }
            return part
        }
        for place in losses where replaced > 0 { replaced -= takeOther(place, replaced) }
        for place in others { _ = takeOther(place, .infinity) }
        return taken
    }

    /// How many of the steps taken come from short-term lots.
    func shortSteps(_ taken: [Double]) -> Double { zip(lots, taken).reduce(0) { $0 + ($1.0.isShort ? $1.1 : 0) } }

    /// Steps from recent lots at which the best choice of lots may change, for a sale of x steps.
    func recentEnds(_ x: Double) -> [Double] {
        let rest = lots.reduce(0) { $0 + ($1.isRecent ? 0 : $1.size) }
        let (least, most) = (max(0, x - rest), min(x, recentSteps))
        guard least <= most else { return [] }
        var ends: Set<Double> = [least, most]
        var sum = 0.0
        for place in recent {
            sum += lots[place].size
            ends.insert(sum)
        }
        // What is taken away ends with a lot.
        sum = purchased
        for place in losses {
            sum -= lots[place].size
            ends.insert(sum)
        }
        // The recent lots are what others leave: losses, then gains of one side or of both.
        for sides in [[true, false], [true], [false]] {
            sum = x
            for place in losses + others.filter({ lots[$0].gain >= 0 && sides.contains(lots[$0].isShort) }) {
                sum -= lots[place].size
                ends.insert(sum)
            }
        }
        return ends.filter { $0 >= least && $0 <= most }.sorted()
    }

    /// Steps from short-term lots at which the best choice of lots may change, for a sale of x steps of which so many are recent: from the least to
    /// the most that is possible.
    func shortEnds(_ x: Double, fromRecent: Double) -> [Double] {
        var (left, recentShort) = (fromRecent, 0.0)
        for place in recent where left > 0 {
            let part = min(left, lots[place].size)
            left -= part
            if lots[place].isShort { recentShort += part }
        }
        let shorts = others.filter { lots[$0].isShort }
        let longs = others.filter { !lots[$0].isShort }
        let rest = x - fromRecent
        let longSteps = longs.reduce(0) { $0 + lots[$1].size }
        let least = recentShort + max(0, rest - longSteps)
        let most = recentShort + min(rest, shorts.reduce(0) { $0 + lots[$1].size })
        guard least <= most else { return [] }
        let replaced = purchased - fromRecent
        let longLosses = losses.reduce(0) { $0 + (lots[$1].isShort ? 0 : lots[$1].size) }
        var ends: Set<Double> = [
            least, most, recentShort + replaced, recentShort + max(0, replaced - longLosses),
            recentShort + rest - replaced,
        ]
        for queue in [shorts, losses.filter { lots[$0].isShort }] {
            var sum = recentShort
            for place in queue {
                sum += lots[place].size
                ends.insert(sum)
            }
        }
        for queue in [longs, losses.filter { !lots[$0].isShort }] {
            var sum = recentShort + rest
            for place in queue {
                sum -= lots[place].size
                ends.insert(sum)
            }
        }
        return ends.filter { $0 >= least && $0 <= most }.sorted()
    }

    // MARK: Orders for linear rates of tax

    /// A good order for rates that are not negative: recent losses, which nothing but other recent lots replaces; the oldest losses, as many as are
    /// taken away; the other losses and the gains, cheapest first. Recent gains give losses back: they go first or where they are worth it.
    func order(short: Double, long: Double) -> LotOrder {
        let (short, long) = (max(0, short), max(0, long))
        let late = order(queue(short, long, recentFirst: false))
        guard recentSteps > recentLosses else { return late }
        return .cheaper(late, order(queue(short, long, recentFirst: true)), short: short, long: long)
    }

    private func queue(_ short: Double, _ long: Double, recentFirst: Bool) -> [(lot: Int, size: Double)] {
        func price(_ lot: Lot) -> Double { lot.gain * (lot.isShort ? short : long) }
        var queue: [(lot: Int, size: Double)] = []
        for place in recent where recentFirst || lots[place].gain < 0 { queue.append((place, lots[place].size)) }
        var replaced = purchased - queue.reduce(0) { $0 + $1.size }
        let away = replaced
        var lost = 0.0
        var rest = lots.map { $0.size }
        for place in losses where replaced > 0 {
            let part = min(replaced, rest[place])
            queue.append((place, part))
            rest[place] -= part
            replaced -= part
            lost += part * price(lots[place])
        }
        // What a recent step gives back, on average.
        let worth = away > replaced ? lost / (away - replaced) : 0
        var open: [(lot: Int, price: Double)] = others.filter { rest[$0] > 0 }.map { ($0, price(lots[$0])) }
        if !recentFirst { open += recent.filter { lots[$0].gain >= 0 }.map { ($0, price(lots[$0]) + worth) } }
        open.sort { ($0.price, $0.lot) < ($1.price, $1.lot) }
        return queue + open.map { ($0.lot, rest[$0.lot]) }
    }

    /// An order that costs no more than any choice of lots, for bounds.
    ///
    /// With rates that are not negative, of k steps: recent gains, kept, take a loss each away, and sold cost something, so that as many steps as
    /// they are bring nothing; of lots that are not recent at most k less all purchases count, since recent losses replace those as well; and of
    /// the oldest losses, as many as recent gains replace, one more counts only where one more recent gain is sold.
    /// With negative rates a loss that would cost is taken to be replaced.
    func bound(short: Double, long: Double) -> LotOrder {
        func price(_ lot: Lot) -> Double { lot.gain * (lot.isShort ? short : long) }
        guard short >= 0, long >= 0 else {
            let priced = lots.map { lot -> (lot: Lot, price: Double) in
                var lot = lot
                if lot.gain < 0, price(lot) > 0 { lot.gain = 0 }
                return (lot, price(lot))
            }
            return LotOrder(priced.sorted { $0.price < $1.price }.map { ($0.lot.gain, $0.lot.size, $0.lot.isShort) })
        }
        typealias Part = (short: Double, long: Double, size: Double, isShort: Bool)
        func part(_ lot: Lot, _ size: Double) -> Part {
            (lot.isShort ? lot.gain : 0, lot.isShort ? 0 : lot.gain, size, lot.isShort)
        }
        var pool: [Part] = []
        var old = purchased - recentLosses
        let cheapest = recent.map { lots[$0] }.filter { $0.gain >= 0 }.min { price($0) < price($1) }
        for place in losses {
            let lot = lots[place]
            let size = min(old, lot.size)
            old -= size
            if size > 0, let cheapest {
                let given = part(cheapest, size)
                let own = part(lot, size)
                pool.append((own.short + given.short, own.long + given.long, size, lot.isShort))
            }
            if lot.size > size { pool.append(part(lot, lot.size - size)) }
        }
        for place in others where lots[place].gain >= 0 { pool.append(part(lots[place], lots[place].size)) }
        func cost(_ part: Part) -> Double { short * part.short + long * part.long }
        pool.sort { cost($0) < cost($1) }
        let own = recent.map { lots[$0] }.filter { $0.gain < 0 }.map { part($0, $0.size) }
            .sorted { cost($0) < cost($1) }
        return LotOrder(results: [(0, 0, purchased - recentLosses, true)] + own + pool)
    }
}
