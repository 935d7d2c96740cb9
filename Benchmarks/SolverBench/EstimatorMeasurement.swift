import LinearAlgebra
import PortfolioModels
import WireFormat

/// One covariance estimator several times on the same panel, and the matrix's Frobenius norm to compare answers by.
enum EstimatorMeasurement {
    static func measure(_ order: JSONValue, _ panel: ReturnPanel) throws -> JSONValue {
        guard let method = CovarianceMethod(rawValue: order["method"]?.stringValue ?? "hist") else {
            throw Problem(JSONPointer(["method"]), .unknownValue, "Known: the covariance methods of the docs.")
        }
        let estimator = CovarianceEstimators.make(CovarianceEstimatorRequest(method))
        let clock = ContinuousClock()
        var times: [Double] = []
        var norm = 0.0
        for _ in 0..<max(1, order["repeats"]?.intValue ?? 1) {
            let start = clock.now
            let matrix = try estimator.estimate(panel).matrix
            times.append((clock.now - start) / .milliseconds(1))
            norm = Vector.norm2(matrix.storage)
        }
        return ["ms": JSONValue(times), "frobenius_norm": JSONValue(norm)]
    }
}
