import WireFormat

/// The ordered weighted average of given coefficients, which never fall: the risk of the model OWA.
///
/// Not in the registry, whose measures have parameters and no list of T numbers; it bears the code of its best known member.
struct GivenOrderedAverage: OrderedFormulation {
    static let code = RiskMeasureCode.gmd
    static let title = "Ordered weighted average"
    static let degree: Int? = 1
    static let canBeNegative = true

    private let given: [Double]

    /// Without coefficients nothing has a risk.
    init(_ parameters: RiskParameters) { given = [] }

    init(coefficients: [Double]) { given = coefficients }

    func coefficients(count: Int) -> [Double] { given.count == count ? given : [Double](repeating: 0, count: count) }
}
