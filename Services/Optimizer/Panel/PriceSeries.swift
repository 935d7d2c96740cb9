import WireFormat

/// The daily prices of one requested asset, one a day, days ascending.
struct PriceSeries: Sendable {
    /// The name the caller used: FB stays FB.
    var asset: String
    /// Trades every day of the week; its bar of day d ends at midnight UTC after d.
    var isContinuous: Bool
    /// Days since 1970-01-01, strictly ascending.
    var days: [Int]
    /// As many as `days`, all positive and finite.
    var prices: [Double]

    var first: CalendarDate? { days.first.flatMap { CalendarDate(daysSinceEpoch: $0) } }
    var last: CalendarDate? { days.last.flatMap { CalendarDate(daysSinceEpoch: $0) } }
}
