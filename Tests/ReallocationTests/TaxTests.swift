import Reallocation
import TestSupport
import Testing
import WireFormat

@Suite("Lots, tax of the year, wash sales")
struct TaxTests {
    static let rates = TaxRates(short: dec("0.32"), long: dec("0.15"), ordinary: dec("0.32"), ordinaryCap: 3000)

    @Test("long-term starts the day after the first anniversary, by calendar")
    func term() throws {
        func term(_ acquired: String, _ sold: String) throws -> HoldingTerm {
            HoldingPeriod.years(1).term(acquired: try day(acquired), sold: try day(sold))
        }
        // 366 days, and still short.
        #expect(try term("2023-06-14", "2024-06-14") == .short)
        #expect(try term("2023-06-14", "2024-06-15") == .long)
        #expect(try term("2024-02-29", "2025-02-28") == .short)
        #expect(try term("2024-02-29", "2025-03-01") == .long)
        #expect(try HoldingPeriod.days(365).term(acquired: day("2023-06-14"), sold: day("2024-06-14")) == .long)
        #expect(try HoldingPeriod.none.term(acquired: day("1990-01-01"), sold: day("2024-06-14")) == .short)
    }

    @Test(
        "scenario D2: lots by four methods", .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioLots() throws {
        let part = try #require(try Scenarios.load("D2")["parts"]?["a"])
        let inputs = try #require(part["inputs"])
        let expected = try #require(part["expected"])
        let lots = try inputs.list("lots").map {
            TaxLot(
                id: try $0.text("id"), acquired: try $0.date("acquired"), quantity: try $0.decimal("shares"),
                basisPerShare: try $0.decimal("basis_per_share"))
        }
        var rates = Self.rates
        rates.short = try inputs.decimal("rate_short")
        rates.long = try inputs.decimal("rate_long")
        let sale = Disposal(
            date: try inputs.date("sale_date"),
            netPrice: try inputs.decimal("price") - (try inputs.decimal("selling_fee_per_share")),
            tax: TaxSettings(mode: .lotRates, rates: rates))
        for lot in lots {
            #expect(expected["term"]?[lot.id]?.stringValue == sale.term(lot).rawValue)
            #expect(expected["gain_per_share"]?[lot.id]?.stringValue == sale.gainPerShare(lot).description)
        }
        let methods: [(String, DisposalMethod)] = [
            ("fifo", .fifo), ("lifo", .lifo), ("highest_cost", .hifo), ("lowest_tax_per_share", .minimumTaxByRate),
        ]
        for (name, method) in methods {
            let answer = try #require(expected["methods"]?[name])
            let sales = try sale.select(try inputs.decimal("shares_to_sell"), from: lots, by: method)
            #expect(sales.map { $0.lot.id } == (try answer.members("lots").map { $0.key }), "\(name)")
            for sold in sales { #expect(answer["lots"]?[sold.lot.id]?.intValue == sold.quantity.int) }
            func gain(_ term: HoldingTerm) -> FixedDecimal {
                sales.filter { $0.term == term }.map { $0.gain }.reduce(0, +)
            }
            #expect(gain(.short).text(places: 2) == (try answer.text("gain_short")))
            #expect(gain(.long).text(places: 2) == (try answer.text("gain_long")))
            let basis = sales.map { $0.lot.basisPerShare * $0.quantity }.reduce(0, +)
            #expect(basis.text(places: 2) == (try answer.text("basis")))
            #expect((basis + gain(.short) + gain(.long)).text(places: 2) == (try answer.text("proceeds_net")))
            let tax = sale.tax.tax(ofShort: gain(.short), long: gain(.long))
            #expect(tax.text(places: 2) == (try answer.text("tax_at_lot_rates")))
        }
    }

    @Test("scenario D2: netting of a year", .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioNetting() throws {
        let part = try #require(try Scenarios.load("D2")["parts"]?["b"])
        let inputs = try #require(part["inputs"])
        let rates = TaxRates(
            short: try inputs.decimal("rate_short"), long: try inputs.decimal("rate_long"),
            ordinary: try inputs.decimal("rate_ordinary"), ordinaryCap: try inputs.decimal("ordinary_cap"))
        for item in try part.list("cases") {
            let year = TaxYear(
                realisedShort: try item.decimal("realised_short"), realisedLong: try item.decimal("realised_long"),
                carryShort: try item.decimal("carry_in_short"), carryLong: try item.decimal("carry_in_long"),
                rates: rates)
            let expected = try #require(item["expected"])
            let found = [
                "net_short": year.netShort, "net_long": year.netLong, "taxed_short": year.taxedShort,
                "taxed_long": year.taxedLong, "ordinary_deduction": year.ordinaryDeduction,
                "carry_out_short": year.carryOutShort, "carry_out_long": year.carryOutLong, "tax": year.tax,
            ]
            for (name, value) in found { #expect(value.text(places: 2) == (try expected.text(name)), "\(name)") }
        }
    }

    @Test("nothing of a year's losses is lost: deduction, carry and netting add up")
    func conservation() {
        var generator = SplitMix64(seed: 9)
        for _ in 0..<5000 {
            func amount(_ span: Int) -> FixedDecimal { FixedDecimal(generator.integer(2 * span) - span) * dec("0.01") }
            let (s, l, cs, cl) = (
                amount(900_000), amount(900_000), amount(400_000).magnitude, amount(400_000).magnitude
            )
            let year = TaxYear(realisedShort: s, realisedLong: l, carryShort: cs, carryLong: cl, rates: Self.rates)
            #expect(
                year.taxedShort + year.taxedLong - year.ordinaryDeduction - year.carryOutShort - year.carryOutLong == s
                    + l - cs - cl)
            #expect(year.carryOutShort >= 0 && year.carryOutLong >= 0 && year.ordinaryDeduction <= 3000)
            // One more unit of gain never lowers the tax.
            let more = TaxYear(realisedShort: s + 1, realisedLong: l, carryShort: cs, carryLong: cl, rates: Self.rates)
            #expect(more.tax >= year.tax)
        }
    }

    @Test("least tax of the netted year equals trying every split of whole shares")
    func minimumTax() throws {
        var generator = SplitMix64(seed: 21)
        let today = try day("2026-06-30")
        for round in 0..<400 {
            let lots = try (0..<(2 + generator.integer(3))).map { index in
                TaxLot(
                    id: "L\(index)", acquired: try #require(today.adding(days: -generator.integer(700) - 1)),
                    quantity: FixedDecimal(1 + generator.integer(9)),
                    basisPerShare: FixedDecimal(20 + generator.integer(160)))
            }
            var tax = TaxSettings(
                mode: .nettedYear,
                rates: TaxRates(short: dec("0.4"), long: dec("0.2"), ordinary: dec("0.35"), ordinaryCap: 150))
            tax.realisedShort = FixedDecimal(generator.integer(600) - 300)
            tax.realisedLong = FixedDecimal(generator.integer(600) - 300)
            tax.carryShort = FixedDecimal(generator.integer(100))
            if round % 3 == 0 { (tax.carryValueShort, tax.carryValueLong) = (dec("0.1"), dec("0.05")) }
            let sale = Disposal(date: today, netPrice: 100, tax: tax)
            let held = lots.compactMap { $0.quantity.int }
            let quantity = generator.integer(held.reduce(0, +)) + 1
            var best = FixedDecimal(1_000_000)
            func visit(_ index: Int, _ rest: Int, _ short: FixedDecimal, _ long: FixedDecimal) {
                guard index < lots.count else {
                    if rest == 0 {
                        best = min(
                            best, tax.tax(ofShort: short, long: long) - tax.carryValue(ofShort: short, long: long))
                    }
                    return
                }
                for taken in 0...min(rest, held[index]) {
                    let gain = sale.gainPerShare(lots[index]) * FixedDecimal(taken)
                    let isShort = sale.term(lots[index]) == .short
                    visit(index + 1, rest - taken, isShort ? short + gain : short, isShort ? long : long + gain)
                }
            }
            visit(0, quantity, 0, 0)
            let sales = try sale.select(FixedDecimal(quantity), from: lots, by: .minimumTax)
            #expect(sales.map { $0.quantity }.reduce(0, +) == FixedDecimal(quantity))
            let short = sales.filter { $0.term == .short }.map { $0.gain }.reduce(0, +)
            let long = sales.filter { $0.term == .long }.map { $0.gain }.reduce(0, +)
            #expect(
                tax.tax(ofShort: short, long: long) - tax.carryValue(ofShort: short, long: long) == best,
                "round \(round)")
        }
    }

    @Test("average cost, named lots, too few shares")
    func otherMethods() throws {
        let lots = [
            TaxLot(id: "a", acquired: try day("2020-01-02"), quantity: 10, basisPerShare: 10),
            TaxLot(id: "b", acquired: try day("2026-01-02"), quantity: 30, basisPerShare: 30),
        ]
        let sale = Disposal(
            date: try day("2026-03-01"), netPrice: 40, tax: TaxSettings(mode: .lotRates, rates: Self.rates))
        let average = try sale.select(20, from: lots, by: .average)
        #expect(average.map { $0.gain }.reduce(0, +) == dec("300"))
        #expect(try sale.select(35, from: lots, by: .specific, named: ["b", "a"]).map { $0.quantity } == [30, 5])
        #expect(throws: DisposalError.noSuchLot("z")) { try sale.select(1, from: lots, by: .specific, named: ["z"]) }
        #expect(throws: DisposalError.lotsNotNamed) { try sale.select(1, from: lots, by: .specific) }
        #expect(throws: DisposalError.tooFewShares(have: 40, need: 41)) { try sale.select(41, from: lots, by: .fifo) }
    }

    @Test(
        "scenario D3: a wash sale on both sides",
        .enabled(if: Scenarios.isPresent, "the folder of references is not there"))
    func scenarioWashSale() throws {
        let scenario = try Scenarios.load("D3")
        let inputs = try #require(scenario["inputs"])
        let expected = try #require(scenario["expected"])
        let sale = try #require(inputs["sale"])
        let price = try sale.decimal("price")
        let sold = try sale.list("lots").map {
            let lot = TaxLot(
                id: try $0.text("id"), acquired: try $0.date("acquired"), quantity: try $0.decimal("shares"),
                basisPerShare: try $0.decimal("basis_per_share"))
            return WashSale.Sold(lot: lot, quantity: lot.quantity, gainPerShare: price - lot.basisPerShare)
        }
        let purchases = try inputs.list("purchases").map {
            WashSale.Purchase(
                id: try $0.text("id"), date: try $0.date("date"), quantity: try $0.decimal("shares"),
                costPerShare: try $0.decimal("price"))
        }
        let wash = WashSale(sold: sold, on: try sale.date("date"), purchases: purchases, rule: .unitedStates)
        #expect(wash.economicLoss.text(places: 2) == (try expected.text("economic_loss")))
        #expect(wash.disallowedLoss.text(places: 2) == (try expected.text("disallowed_loss")))
        #expect(wash.allowedLoss.text(places: 2) == (try expected.text("allowed_loss")))
        #expect(wash.allowedShort == wash.allowedLoss)
        for (found, wanted) in zip(wash.replacements, try expected.list("replacement_lots")) {
            #expect(found.purchase == (try wanted.text("replacement")))
            #expect(found.sold == (try wanted.text("from_sold")))
            #expect(found.quantity.int == wanted["shares"]?.intValue)
            #expect(found.lossPerShare.description == (try wanted.text("loss_per_share_added")))
            #expect(found.basisPerShare.description == (try wanted.text("adjusted_basis_per_share")))
            #expect(found.daysCarried == wanted["holding_days_carried"]?.intValue)
            #expect(found.acquired.description == (try wanted.text("adjusted_acquisition_date")))
        }
        #expect(wash.replacements.count == 2)
    }

    @Test("a wash sale moves losses, it makes and loses none")
    func washSaleConservation() throws {
        var generator = SplitMix64(seed: 33)
        let sale = try day("2026-03-14")
        for _ in 0..<500 {
            let sold = try (0..<3).map { index in
                let lot = TaxLot(
                    id: "S\(index)", acquired: try #require(sale.adding(days: -1 - generator.integer(600))),
                    quantity: 40,
                    basisPerShare: FixedDecimal(20 + generator.integer(30)))
                return WashSale.Sold(
                    lot: lot, quantity: FixedDecimal(1 + generator.integer(40)), gainPerShare: 30 - lot.basisPerShare)
            }
            let lots = try (0..<4).map { index in
                TaxLot(
                    id: "B\(index)", acquired: try #require(sale.adding(days: generator.integer(90) - 45)),
                    quantity: FixedDecimal(1 + generator.integer(30)), basisPerShare: 28)
            }
            let purchases = lots.map {
                WashSale.Purchase(id: $0.id, date: $0.acquired, quantity: $0.quantity, costPerShare: $0.basisPerShare)
            }
            let wash = WashSale(sold: sold, on: sale, purchases: purchases, rule: .unitedStates)
            let losses = sold.filter { $0.gainPerShare < 0 }
            #expect(wash.economicLoss == losses.map { -$0.gainPerShare * $0.quantity }.reduce(0, +))
            #expect(wash.disallowedLoss + wash.allowedLoss == wash.economicLoss)
            let inWindow = lots.filter { ($0.acquired.daysSinceEpoch - sale.daysSinceEpoch).magnitude <= 30 }.map {
                $0.quantity
            }.reduce(0, +)
            #expect(
                wash.replacements.map { $0.quantity }.reduce(0, +)
                    == min(inWindow, losses.map { $0.quantity }.reduce(0, +)))
            // The basis of all lots grows by exactly what was disallowed.
            func basis(_ lots: [TaxLot]) -> FixedDecimal { lots.map { $0.basisPerShare * $0.quantity }.reduce(0, +) }
            let after = wash.applied(to: lots)
            #expect(basis(after) - basis(lots) == wash.disallowedLoss)
            #expect(after.map { $0.quantity }.reduce(0, +) == lots.map { $0.quantity }.reduce(0, +))
        }
    }

    @Test("regimes are dated data")
    func regimes() throws {
        #expect(TaxRegime.inForce("us", on: try day("2026-01-01"))?.washSale == .unitedStates)
        #expect(TaxRegime.inForce("us", on: try day("1950-01-01")) == nil)
        #expect(TaxRegime.inForce("de-token", on: try day("2026-01-01"))?.longInclusion == 0)
        #expect(TaxRegime.inForce("ca", on: try day("2026-01-01"))?.prescribedMethod == .average)
        #expect(TaxRegime.inForce("xx", on: try day("2026-01-01")) == nil)
    }
}
