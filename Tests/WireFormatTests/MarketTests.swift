import Testing
import WireFormat

@Suite("Calendar date")
struct CalendarDateTests {
    @Test(
        "reads days that exist",
        arguments: ["0001-01-01", "1970-01-01", "2000-02-29", "2023-01-03", "2024-02-29", "9999-12-31"])
    func reads(text: String) throws {
        let date = try #require(CalendarDate(iso: text))
        #expect(date.description == text)
        #expect(CalendarDate(daysSinceEpoch: date.daysSinceEpoch) == date)
    }

    @Test(
        "refuses days that do not exist and other forms",
        arguments: [
            "2023-02-30", "2023-02-29", "1900-02-29", "2023-13-01", "2023-00-10", "2023-04-31", "2023-1-3",
            "0000-01-01",
            "275760-09-13", "2023-01-03T00:00:00Z", " 2023-01-03", "2023-01-03 ", "２０２３-01-03", "2023/01/03", "",
            "-001-01-01",
        ])
    func refuses(text: String) {
        #expect(CalendarDate(iso: text) == nil)
    }

    @Test("counts days through the whole range")
    func counts() throws {
        #expect(CalendarDate(iso: "1970-01-01")?.daysSinceEpoch == 0)
        #expect(CalendarDate(iso: "2000-01-01")?.daysSinceEpoch == 10957)
        #expect(CalendarDate(daysSinceEpoch: CalendarDate.earliest.daysSinceEpoch - 1) == nil)
        #expect(CalendarDate(daysSinceEpoch: CalendarDate.latest.daysSinceEpoch + 1) == nil)
        var day = CalendarDate.earliest
        for _ in 0..<4000 {
            let next = try #require(day.adding(days: 911))
            #expect(next > day)
            #expect(CalendarDate(year: next.year, month: next.month, day: next.day) == next)
            day = next
        }
        #expect(CalendarDate.latest.adding(days: .max) == nil)
    }

    @Test("knows the weekday")
    func weekday() {
        #expect(CalendarDate(iso: "2023-01-02")?.weekday == 1)
        #expect(CalendarDate(iso: "1969-12-28")?.weekday == 7)
    }
}

@Suite("UTC timestamp")
struct UTCTimestampTests {
    @Test(
        "reads RFC 3339 and writes UTC",
        arguments: [
            ("2023-05-01T12:00:00Z", "2023-05-01T12:00:00Z"), ("2023-05-01T14:00:00+02:00", "2023-05-01T12:00:00Z"),
            ("2023-05-01T00:30:00+01:00", "2023-04-30T23:30:00Z"),
            ("2023-05-01T12:00:00.123456789Z", "2023-05-01T12:00:00.123456Z"),
            ("2023-05-01 12:00:00.5+00", "2023-05-01T12:00:00.5Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ])
    func reads(text: String, expected: String) throws {
        #expect(try #require(UTCTimestamp(iso: text)).isoString == expected)
    }

    @Test(
        "refuses other forms",
        arguments: [
            "2023-02-30T00:00:00Z", "2023-05-01T24:00:00Z", "2023-05-01T12:60:00Z", "2023-05-01T12:00:60Z",
            "2023-05-01T12:00:00", "2023-05-01", "2023-05-01T12:00:00.Z", "2023-05-01T12:00:00+25:00",
            "2023-05-01T12:00:00Zx",
            "2023-05-01T12:00:00.1234567890Z",
        ])
    func refuses(text: String) {
        #expect(UTCTimestamp(iso: text) == nil)
    }

    @Test("an instant before the epoch belongs to the day it is in")
    func floor() {
        #expect(UTCTimestamp(microsecondsSinceEpoch: -1).date.description == "1969-12-31")
        #expect(UTCTimestamp(microsecondsSinceEpoch: .min).isoString.hasPrefix("0001-01-01"))
        #expect(UTCTimestamp(microsecondsSinceEpoch: .max).isoString.hasPrefix("9999-12-31"))
    }
}

@Suite("Market data row")
struct MarketDataRowTests {
    @Test("reads the specification's row and writes it back")
    func specification() throws {
        let text = """
            {"asset_symbol":"AAPL","timestamp":"2023-05-01T12:00:00Z","price":150.25,"volume":15000000,"return":0.015,
            "created_at":"2023-05-01T12:30:00Z"}
            """
        let row = try MarketDataRow(json: try StrictJSON.parse(text))
        #expect(row.assetSymbol == "AAPL")
        #expect(row.price.text == "150.25")
        #expect(row.interval == "1d")
        #expect(try MarketDataRow(json: row.json) == row)
    }

    @Test("refuses a row without price, and an unknown member")
    func refuses() {
        #expect(throws: Problem.self) {
            try MarketDataRow(json: ["asset_symbol": "A", "timestamp": "2023-05-01T12:00:00Z"])
        }
        #expect(throws: Problem.self) {
            try MarketDataRow(
                json: ["asset_symbol": "A", "timestamp": "2023-05-01T12:00:00Z", "price": 1, "prise": 2])
        }
    }
}
