import TestSupport
import Testing
import WireFormat

@Suite("Fixed decimal")
struct FixedDecimalTests {
    @Test("reads plain decimals and nothing else")
    func reads() {
        #expect(dec("12.50").description == "12.5")
        #expect(dec("-0.000000000000000001").description == "-0.000000000000000001")
        #expect(dec("007").description == "7")
        for text in [
            "", "-", ".5", "5.", "1e3", "+1", "1,000", "12abc", " 1", "0.0000000000000000001", "1000000000000000000000",
            "∞",
        ] {
            #expect(FixedDecimal(text) == nil, "\(text)")
        }
        func number(_ text: String) -> FixedDecimal? { JSONNumber(decimal: text).flatMap { FixedDecimal($0) } }
        #expect(number("1.5e3") == 1500)
        #expect(number("15E-1") == dec("1.5"))
        #expect(number("1e-18") == dec("0.000000000000000001"))
        #expect(number("1e-19") == nil)
        #expect(number("1e30") == nil)
        #expect(number("0e300") == 0)
    }

    @Test("adds, multiplies and divides exactly where there is an exact answer")
    func arithmetic() {
        #expect(dec("0.1") + dec("0.2") == dec("0.3"))
        #expect(dec("123456789.123456789") * dec("0.000000001") == dec("0.123456789123456789"))
        #expect(dec("-64") * dec("0.02") == dec("-1.28"))
        #expect(FixedDecimal.one / 3 == dec("0.333333333333333333"))
        #expect(2 / FixedDecimal(3) == dec("0.666666666666666667"))
        #expect(FixedDecimal(-2) / 3 == dec("-0.666666666666666667"))
        // The product needs 256 bits on the way.
        #expect(
            dec("99999999999.999999999999999999") * dec("0.999999999999999999") == dec("99999999999.999999899999999999")
        )
    }

    @Test("what leaves the range shows, and stays")
    func overflow() {
        let large = dec("99999999999999999999")
        #expect((large * 2).isOverflow)
        #expect((large * large).isOverflow)
        #expect((large * 2 - large).isOverflow)
        #expect((FixedDecimal.one / 0).isOverflow)
        #expect(FixedDecimal.overflow.text(places: 2) == "overflow")
        #expect(FixedDecimal.overflow.double.isNaN)
        #expect(FixedDecimal(Double.infinity, places: 2).isOverflow)
        #expect(JSONValue(FixedDecimal.overflow) == .null)
    }

    @Test("rounds halves away from zero")
    func rounds() {
        for (text, cents) in [
            ("0.005", "0.01"), ("-0.005", "-0.01"), ("2.674999", "2.67"), ("-38.424", "-38.42"), ("0.0049", "0.00"),
        ] {
            #expect(dec(text).text(places: 2) == cents)
        }
        #expect(dec("-0.001").text(places: 2) == "0.00")
        #expect(dec("12.5").text(places: 0) == "13")
        #expect(dec("-7").roundedDown(to: 2) == -8)
        #expect(dec("7.3").roundedDown(to: dec("0.5")) == 7)
        #expect(dec("1.5").isMultiple(of: dec("0.25")) && !dec("1.5").isMultiple(of: 1))
        #expect(FixedDecimal(1.005, places: 2) == dec("1.00") || FixedDecimal(1.005, places: 2) == dec("1.01"))
        #expect(FixedDecimal(0.1, places: 8) == dec("0.1"))
    }

    @Test("agrees with whole-number arithmetic on random figures")
    func random() {
        var generator = SplitMix64(seed: 5)
        for _ in 0..<20_000 {
            let a = Int(truncatingIfNeeded: generator.next() >> 12) - (1 << 51)
            let b = Int(truncatingIfNeeded: generator.next() >> 34) - (1 << 29)
            let cents = FixedDecimal(a) * dec("0.01")
            #expect(
                cents.text(places: 2)
                    == "\(a < 0 ? "-" : "")\(a.magnitude / 100).\(a.magnitude % 100 < 10 ? "0" : "")\(a.magnitude % 100)"
            )
            #expect(FixedDecimal(cents.description) == cents)
            let (product, overflow) = a.multipliedReportingOverflow(by: b)
            if !overflow {
                #expect(
                    FixedDecimal(a) * FixedDecimal(b) == FixedDecimal(product)
                        || product.magnitude > 100_000_000_000_000_000)
            }
            if b != 0 {
                #expect(
                    ((FixedDecimal(a) / FixedDecimal(b)) * FixedDecimal(b) - FixedDecimal(a)).magnitude <= FixedDecimal(
                        b
                    ).magnitude * dec("0.000000000000000001"))
            }
            #expect((cents + FixedDecimal(b)) - FixedDecimal(b) == cents)
        }
    }
}
