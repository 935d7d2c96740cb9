import Reallocation
import ServiceKit
import WireFormat

enum PlanLimits {
    /// A thousand assets with their covariance.
    static let body = 32 << 20

    /// `Prefer: handling=strict`: what would be a warning is a refusal.
    static func refuseWarnings(_ warnings: [PortfolioWarning], _ isStrict: Bool) throws(Problem) {
        guard isStrict, let first = warnings.first else { return }
        throw Problem(
            .strictHandling, first.detail, errors: warnings.map { Violation($0.pointer, .other($0.code), $0.detail) })
    }
}
