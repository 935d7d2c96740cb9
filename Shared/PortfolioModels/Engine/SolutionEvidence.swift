import WireFormat

/// What a solution proves itself by: dual series of the risks, slopes of the costs at weights that do not move, and how far soft
/// constraints count.
struct SolutionEvidence: Sendable {
    /// Of the objective's risk.
    var objective: RiskEvidence?
    /// By the name of the limiting constraint.
    var limits: [(name: String, evidence: RiskEvidence)] = []
    var costKinks: [Double] = []
    /// By asset: slopes of the costs, at weights that move too; nil where those are the costs' own.
    var costSlopes: [Double]?
    /// By soft constraint of the set.
    var soft: [SoftEvidence] = []
    /// In place of dual series, where the solution comes from cutting planes.
    var tangents: TangentEvidence?
}

/// What a solution says about a soft constraint.
struct SoftEvidence: Sendable {
    /// The price it pays, as a share of the penalty's weight: one beyond the level, zero within it, between them on it.
    var share: Double
    /// By asset, of a sum of hinges: the slope of max(reference - w, 0) where w is at its reference.
    var kinks: [Double] = []
}

extension SolutionEvidence {
    /// What a solve found, by the names of a constraint set.
    init(_ found: MeanRisk.Solution, _ set: ConstraintSet) {
        objective = found.evidence.first { $0.constraint == nil }?.evidence
        limits = found.evidence.compactMap { item in item.constraint.map { (set.name(at: $0), item.evidence) } }
        costKinks = found.costKinks
        costSlopes = found.costSlopes
        soft = found.soft
        tangents = found.tangents
    }
}
