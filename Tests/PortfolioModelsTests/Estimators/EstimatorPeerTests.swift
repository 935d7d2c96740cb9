import LinearAlgebra
import TestSupport
import Testing
import WireFormat

@testable import PortfolioModels

/// Windows that the oracle's family of estimators leaves out, against Riskfolio-Lib 7.4.0 with scikit-learn 1.9.1 on them; the
/// two structured Ledoit-Wolf targets against a transcription of their papers in numpy; gerber0 before the peer clips it.
@Suite("Estimators on other windows", .enabled(if: Oracle.isPresent, "shared/oracle is absent"))
struct EstimatorPeerTests {
    /// Window, method, a'Sigma a with a_i proportional to i, and the Frobenius norm.
    static let figures: [(window: String, method: String, form: Double, norm: Double)] = [
        ("sp500_n20_T500", "hist", 8.421511890518791e-05, 0.0029439795684046526),
        ("sp500_n20_T500", "semi", 6.418100698618446e-05, 0.0018402212234980451),
        ("sp500_n20_T500", "ewma1", 4.259916958989045e-05, 0.002959778611836124),
        ("sp500_n20_T500", "ewma2", 4.2599169589888793e-05, 0.0029597786118360893),
        ("sp500_n20_T500", "ledoit", 8.237053523492637e-05, 0.002879717648014692),
        ("sp500_n20_T500", "oas", 8.300938422310562e-05, 0.0029019165287634432),
        ("sp500_n20_T500", "shrunk", 7.781837082711125e-05, 0.0027234530174096642),
        ("sp500_n20_T500", "gl", 7.505552172228996e-05, 0.0028303959739610163),
        ("sp500_n20_T500", "jlogo", 7.287128733175714e-05, 0.0027896162447407498),
        ("sp500_n20_T500", "fixed", 8.546691311300346e-05, 0.0030229466455511645),
        ("sp500_n20_T500", "spectral", 0.00017332273982686915, 0.0057066805523521705),
        ("sp500_n20_T500", "shrink", 8.88427633015537e-05, 0.003085522758427127),
        ("sp500_n20_T500", "gerber1", 5.693395727985663e-05, 0.0025126547419005983),
        ("sp500_n20_T500", "gerber2", 7.245899240193375e-05, 0.0027559057105461587),
        ("sp500_n20_T500", "fixed+detone", 7.656539987395851e-06, 0.0014853903708892642),
        ("sp500_n20_T500", "spectral+detone", 9.551236670126156e-05, 0.003507206879693175),
        ("sp500_n20_T500", "shrink+detone", 1.103239017594608e-05, 0.0014699420374495937),
        ("sp500_n20_T500", "gerber0", 0.00011049240655554108, 0.0035728238607257226),
        ("sp500_n20_T500", "ledoit_single_factor", 8.483678003949007e-05, 0.0029501896333226974),
        ("sp500_n20_T500", "ledoit_constant_correlation", 8.525375734432752e-05, 0.0029413039510984324),
        ("sp500_n10_T1008", "hist", 0.00023262875178731938, 0.0031418987789450558),
        ("sp500_n10_T1008", "semi", 0.00014203166978136393, 0.001838114777423136),
        ("sp500_n10_T1008", "ewma1", 0.00014112232472473924, 0.0025175315201146848),
        ("sp500_n10_T1008", "ewma2", 0.00014112232472473902, 0.0025175315201146804),
        ("sp500_n10_T1008", "ledoit", 0.00022821418422222427, 0.0030829255343195155),
        ("sp500_n10_T1008", "oas", 0.000231455946486473, 0.003126165809681581),
        ("sp500_n10_T1008", "shrunk", 0.00021614530916747227, 0.002924503404484943),
        ("sp500_n10_T1008", "gl", 0.00011717416227506684, 0.0023675220213847216),
        ("sp500_n10_T1008", "jlogo", 0.00022602927827021038, 0.0030770738764810466),
        ("sp500_n10_T1008", "fixed", 0.0002330350847937707, 0.003131583417201294),
        ("sp500_n10_T1008", "spectral", 0.0002966188995100885, 0.0038527584568838922),
        ("sp500_n10_T1008", "shrink", 0.00024144773654593765, 0.0032569027803787502),
        ("sp500_n10_T1008", "gerber1", 0.00014157376437632502, 0.0023799327543891913),
        ("sp500_n10_T1008", "gerber2", 0.0001793948873750346, 0.0027067436077530963),
        ("sp500_n10_T1008", "fixed+detone", 1.7551401345901332e-06, 0.00077594817004479),
        ("sp500_n10_T1008", "spectral+detone", 6.533895485090791e-05, 0.0010984721559119317),
        ("sp500_n10_T1008", "shrink+detone", 1.0167791886757124e-05, 0.0007852333161095581),
        ("sp500_n10_T1008", "gerber0", 0.0002734142223194752, 0.0036751925410118914),
        ("sp500_n10_T1008", "ledoit_single_factor", 0.00023272859418615088, 0.0031426684848836995),
        ("sp500_n10_T1008", "ledoit_constant_correlation", 0.00023139945802731998, 0.0031266867115663363),
    ]

    @Test("Every covariance gives the peer's figures", arguments: ["sp500_n20_T500", "sp500_n10_T1008"])
    func covariances(window: String) throws {
        let panel = try Oracle.panel(window)
        let n = panel.assets.count
        let a = (1...n).map { Double($0) / Double(n * (n + 1) / 2) }
        for (own, name, form, norm) in Self.figures where own == window {
            let parts = name.split(separator: "+")
            var request = CovarianceEstimatorRequest(.ledoit)
            switch parts[0] {
            case "ledoit_single_factor": request.target = .singleFactor
            case "ledoit_constant_correlation": request.target = .constantCorrelation
            default: request.method = try #require(CovarianceMethod(rawValue: String(parts[0])))
            }
            if parts.count == 2 {
                request.detone = true
                request.marketComponents = 2
            }
            let found = try CovarianceEstimators.make(request).estimate(panel).matrix
            let ownForm = Vector.dot(a, found.symmetricMultiplied(by: a))
            #expect(abs(ownForm - form) <= 1e-9 * norm, "\(name) \(ownForm) \(form)")
            #expect(abs(Vector.norm2(found.storage) - norm) <= 1e-9 * norm, "\(name)")
        }
    }
}
