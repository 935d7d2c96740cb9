import LinearAlgebra

/// A point of the primal-dual method: x free, y free, slacks s > 0 and prices z > 0 of the inequalities.
struct Iterate: Sendable {
    var x: [Double]
    var y: [Double]
    var z: [Double]
    var s: [Double]

    /// Mean complementarity s'z / m; zero without inequalities.
    var mu: Double { s.isEmpty ? 0 : Vector.dot(s, z) / Double(s.count) }

    var isFinite: Bool {
        func areFinite(_ values: [Double]) -> Bool { values.allSatisfy { $0.isFinite } }
        return areFinite(x) && areFinite(y) && areFinite(z) && areFinite(s)
    }

    /// Zeros of a program's dimensions.
    init(_ form: StandardForm) {
        let none = [Double](repeating: 0, count: form.inequalities)
        self.init(
            x: [Double](repeating: 0, count: form.variables), y: [Double](repeating: 0, count: form.equalities),
            z: none, s: none)
    }

    init(x: [Double], y: [Double], z: [Double], s: [Double]) {
        (self.x, self.y, self.z, self.s) = (x, y, z, s)
    }

    /// Becomes another point, in its own memory.
    mutating func take(_ other: Iterate) {
        Vector.copy(other.x, into: &x)
        Vector.copy(other.y, into: &y)
        Vector.copy(other.z, into: &z)
        Vector.copy(other.s, into: &s)
    }

    /// Moves by a primal step along (dx, ds) and a dual step along (dy, dz).
    mutating func move(_ direction: Iterate, primal: Double, dual: Double) {
        Vector.axpy(primal, direction.x, &x)
        Vector.axpy(primal, direction.s, &s)
        Vector.axpy(dual, direction.y, &y)
        Vector.axpy(dual, direction.z, &z)
    }

    /// Sets all prices to zero.
    mutating func dropPrices() {
        y = [Double](repeating: 0, count: y.count)
        z = [Double](repeating: 0, count: z.count)
    }

    /// Mehrotra's starting point: the least-squares point of the constraints, pushed into the interior by amounts that
    /// scale with the problem.
    static func start(_ form: StandardForm, _ kkt: inout KKTSystem) throws(FactorisationError) -> Iterate {
        let m = form.inequalities
        let ones = [Double](repeating: 1, count: m)
        try kkt.factorise(weights: ones)
        // min 1/2 x'Px + q'x + 1/2 |d - Cx|^2  s.t.  Ax = b; slack d - Cx, price -(d - Cx).
        var right = form.q.map { -$0 }
        form.addInequalityTransposed(form.d, to: &right)
        var (x, y) = (right, form.b)
        kkt.solve(right, form.b, dx: &x, dy: &y)
        guard m > 0 else { return Iterate(x: x, y: y, z: [], s: []) }
        let image = form.inequalityProduct(x)
        var s = (0..<m).map { form.d[$0] - image[$0] }
        var z = s.map { -$0 }
        shift(&s, &z)
        return Iterate(x: x, y: y, z: z, s: s)
    }

    private static func shift(_ s: inout [Double], _ z: inout [Double]) {
        let size = max(Vector.normInfinity(s), 1e-3)
        raise(&s, floor: 1e-2 * size)
        raise(&z, floor: 1e-2 * size)
        let product = Vector.dot(s, z)
        let primal = 0.5 * product / z.reduce(0, +)
        let dual = 0.5 * product / s.reduce(0, +)
        for i in s.indices {
            s[i] += primal
            z[i] += dual
        }
    }

    /// Adds one amount to all elements so that none is below `floor`.
    private static func raise(_ values: inout [Double], floor: Double) {
        let smallest = values.min() ?? 0
        let amount = max(-1.5 * smallest, 0) + (smallest > floor ? 0 : floor)
        guard amount > 0 else { return }
        for i in values.indices { values[i] += amount }
    }
}
