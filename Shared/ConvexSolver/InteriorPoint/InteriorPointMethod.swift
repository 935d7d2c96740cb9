import LinearAlgebra

/// Solves convex quadratic and linear programs.
///
/// validate -> presolve -> equilibrate -> primal-dual loop -> polish -> assess on the program as given. Where no optimum
/// shows, the infeasibility analysis looks for a certificate.
public enum InteriorPointMethod {
    /// Solves a program; throws only if it is malformed.
    public static func solve(
        _ program: QuadraticProgram,
        settings: SolverSettings = SolverSettings()
    ) throws(ProgramError) -> QuadraticSolution {
        try program.validate()
        if let threads = settings.threads { OpenBLASThreads.set(threads) }
        switch Presolve.run(program) {
        case .infeasible(let proof): return .infeasible(program, proof, iterations: 0)
        case .reduced(let presolve): return conclude(program, run(program, presolve, settings), settings)
        }
    }

    /// What the numerical part of a solve leaves behind.
    struct Run: Sendable {
        var assessment: Assessment
        var isPolished: Bool
        var reason: Termination.Reason
        var iterations: Int
        /// The last point, whose prices may prove infeasibility.
        var last: PrimalDualPoint
    }

    /// Loop and polish on a presolved program.
    static func run(_ program: QuadraticProgram, _ presolve: Presolve, _ settings: SolverSettings) -> Run {
        let scale = ProblemScale(program)
        guard !presolve.free.isEmpty else {
            let point = presolve.expand(PrimalDualPoint(x: [], y: [], z: []))
            let assessment = Assessment(program, scale, point, exactly: true)
            return Run(assessment: assessment, isPolished: true, reason: .converged, iterations: 0, last: point)
        }
        let equilibration = Equilibration(presolve.reduced)
        let form = equilibration.scale(presolve.reduced)
        let formScale = equilibration.scale(ProblemScale(presolve.reduced), form)
        var loop = PrimalDualLoop(form, formScale, settings)
        var outcome = loop.run()
        // Where nothing is left to minimise every feasible point is optimal, at no price.
        if formScale.isFeasibilityProblem { outcome.point.dropPrices() }
        let interior = presolve.expand(equilibration.unscale(outcome.point))
        var run = Run(
            assessment: Assessment(program, scale, interior, exactly: false), isPolished: false, reason: outcome.reason,
            iterations: outcome.iterations, last: presolve.expand(equilibration.unscale(outcome.last)))
        if case .interrupted = outcome.reason { return run }
        guard settings.polishes, run.assessment.merit < 1e-2 else { return run }
        func consider(_ candidate: Iterate) {
            let assessment = Assessment(
                program, scale, presolve.expand(equilibration.unscale(candidate)), exactly: true)
            if assessment.merit <= max(run.assessment.merit, 1e-13) {
                run.assessment = assessment
                run.isPolished = true
            }
        }
        let polished = Polish(form).improve(outcome.point)
        if let polished { consider(polished) }
        if !run.assessment.satisfies(settings) {
            // The point may be right and only its prices wrong.
            for x in [polished?.x, outcome.point.x].compactMap(\.self) where !run.assessment.satisfies(settings) {
                if let recovered = PriceRecovery(form, at: x)?.recover(x) { consider(recovered) }
            }
        }
        return run
    }

    /// Turns a run into the answer: the status follows from what was measured, not from how the loop felt.
    private static func conclude(
        _ program: QuadraticProgram, _ run: Run, _ settings: SolverSettings
    ) -> QuadraticSolution {
        if case .interrupted(let status) = run.reason { return QuadraticSolution(run, status: status) }
        if run.assessment.satisfies(settings) { return QuadraticSolution(run, status: .optimal) }
        let analysis = InfeasibilityAnalysis(program, settings)
        switch analysis.run(hint: run) {
        case .certificate(.primalInfeasible(let proof)):
            return .infeasible(program, proof, iterations: run.iterations)
        case .certificate(.dualInfeasible(let ray)):
            var solution = QuadraticSolution(run, status: .dualInfeasible)
            solution.certificate = .dualInfeasible(ray)
            solution.dualObjective = -.infinity
            return solution
        case .interrupted(let status): return QuadraticSolution(run, status: status)
        case .nothing:
            return QuadraticSolution(run, status: run.reason == .iterationLimit ? .iterationLimit : .numericalFailure)
        }
    }
}

extension QuadraticSolution {
    init(_ run: InteriorPointMethod.Run, status: SolverStatus) {
        let assessment = run.assessment
        self.init(
            status: status, x: assessment.point.x, equalityDuals: assessment.point.y,
            inequalityDuals: assessment.point.z,
            lowerDuals: assessment.lowerDuals, upperDuals: assessment.upperDuals,
            primalObjective: assessment.primalObjective, dualObjective: assessment.dualObjective,
            primalResidual: assessment.primalResidual, dualResidual: assessment.dualResidual,
            relativeGap: assessment.relativeGap, iterations: run.iterations, isPolished: run.isPolished,
            certificate: nil)
    }

    /// The answer to a contradictory program: no point, the certificate's multipliers as prices.
    static func infeasible(
        _ program: QuadraticProgram, _ proof: FarkasCertificate, iterations: Int
    ) -> QuadraticSolution {
        QuadraticSolution(
            status: .primalInfeasible, x: [Double](repeating: .nan, count: program.variables),
            equalityDuals: proof.equality, inequalityDuals: proof.inequality, lowerDuals: proof.lower,
            upperDuals: proof.upper, primalObjective: .infinity, dualObjective: .infinity, primalResidual: .infinity,
            dualResidual: 0, relativeGap: .infinity, iterations: iterations, isPolished: false,
            certificate: .primalInfeasible(proof))
    }
}
