/// A series of returns per period, with what several measures read of it: each is worked out when first asked for, and once.
///
/// The sorted series, the deviations and the drawdowns serve thirty measures; each by itself they would be most of the time of an answer.
public final class ReturnSeries {
    /// T returns.
    public let values: [Double]

    /// Takes T returns per period.
    public init(_ values: [Double]) { self.values = values }

    var count: Int { values.count }
    private(set) lazy var ascending: [Double] = {
        isSorted = true
        return values.sorted()
    }()
    /// Less the mean.
    private(set) lazy var deviations = SeriesMath.centred(values)
    /// Gains as losses.
    private(set) lazy var turned = ReturnSeries(values.map { -$0 })
    private(set) lazy var drawdowns = DrawdownSeries(values, compounded: false)
    private(set) lazy var compoundedDrawdowns = DrawdownSeries(values, compounded: true)
    private lazy var drawdownReturns = ReturnSeries(drawdowns.asReturns)
    private lazy var compoundedDrawdownReturns = ReturnSeries(compoundedDrawdowns.asReturns)
    private var tail: [Double] = []
    private var isSorted = false

    /// -DD: the series to which the tail measures are applied.
    func negatedDrawdowns(compounded: Bool) -> ReturnSeries {
        compounded ? compoundedDrawdownReturns : drawdownReturns
    }

    /// At least the `count` smallest values, ascending: a tail takes far less time than a whole sort.
    func lowest(_ count: Int) -> [Double] {
        if isSorted || count > values.count / 8 { return ascending }
        if tail.count < count { tail = OrderStatistics.smallest(count, of: values) }
        return tail
    }
}
