import LinearAlgebra
import WireFormat

/// Data on which no answer in double precision can be proven, whatever finds it: why an answer that did not pass verification is not to be had.
enum UnequalScales {
    /// The greatest returns of two assets may lie as far apart. Variances are squares, and these have sixteen digits.
    private static let farthest = 1e6
    /// Fewer periods tell two assets hardly apart.
    private static let fewestPeriods = 4

    /// What is wrong with the data, and what to do; nil where an answer has to be found.
    static func problem(of panel: ReturnPanel) -> Problem? {
        if panel.observations < fewestPeriods {
            return Problem(
                .unstable,
                "No answer could be proven on \(panel.observations) periods; send at least \(fewestPeriods).")
        }
        let magnitudes = panel.returns.columnMagnitudes
        let places = magnitudes.indices.filter { magnitudes[$0] > 0 }
        guard let least = places.min(by: { magnitudes[$0] < magnitudes[$1] }),
            let most = places.max(by: { magnitudes[$0] < magnitudes[$1] }),
            magnitudes[most] > farthest * magnitudes[least]
        else { return nil }
        return Problem(
            .unstable,
            "No answer could be proven: the greatest return of \(Problem.echo(panel.assets[most])) is \(magnitudes[most]), that of \(Problem.echo(panel.assets[least])) \(magnitudes[least]), more than a million times less. Leave one of the two out, or check its unit."
        )
    }
}
