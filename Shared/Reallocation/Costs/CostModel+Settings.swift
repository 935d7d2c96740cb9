public import WireFormat

/// Costs as the settings of a plan name them.
extension CostModel {
    /// - Parameter solPrice: of the coin that pays the network, where the settings do not say it.
    /// - Throws: `Problem` where nobody says it, or the network's fee is too large.
    public init(_ costs: RebalanceSettings.Costs, solPrice: FixedDecimal?) throws(Problem) {
        var network = FixedDecimal.zero
        if let wanted = costs.network {
            let place = JSONPointer(["settings", "costs", "network"])
            guard let price = wanted.solPrice ?? solPrice else {
                throw Problem(
                    place.appending("sol_price"), .missing,
                    "The network is paid in SOL: give sol_price, or the asset SOL a price.")
            }
            // The limits of the settings keep it far below what a lamport count can hold.
            let lamports = NetworkFee.lamports(
                signatures: UInt64(wanted.signatures), computeUnits: UInt64(wanted.computeUnits),
                microLamportsPerUnit: UInt64(wanted.microLamportsPerUnit), tip: UInt64(wanted.tip))
            network = FixedDecimal(Int(clamping: lamports ?? .max)) / 1_000_000_000 * price
        }
        self.init(
            commission: CommissionSchedule(costs), saleFees: SaleFees(costs),
            impactCoefficient: costs.impactCoefficient * (costs.calibration?.impactFactor.double ?? 1),
            network: network, ticket: costs.ticket)
    }
}

extension CommissionSchedule {
    public init(_ costs: RebalanceSettings.Costs) {
        self.init(
            perOrder: costs.perOrder, perShare: costs.perShare, rate: costs.rate, minimum: costs.minimum,
            maximumRate: costs.maximumRate)
    }
}

extension SaleFees {
    public init(_ costs: RebalanceSettings.Costs) {
        self.init(rate: costs.saleRate, perShare: costs.salePerShare, perShareCap: costs.salePerShareCap)
    }
}

extension LiquidityCurve {
    /// - Parameters:
    ///   - price: of the asset: pools have to agree with it within their fee.
    ///   - place: of the list of pools in the request.
    /// - Throws: `Problem` for a pool whose price is another one: it or the asset's is old.
    init(_ pools: [RebalanceSettings.Pool], price: FixedDecimal, at place: JSONPointer) throws(Problem) {
        var known: [LiquidityPool] = []
        for (index, wanted) in pools.enumerated() {
            let pool: LiquidityPool
            if let reserves = wanted.reserves {
                pool = LiquidityPool(
                    reserve: reserves.asset.double, against: (reserves.cash ?? reserves.asset * price).double,
                    fee: wanted.fee.double)
            } else {
                pool = LiquidityPool(
                    price: (wanted.price ?? price).double, fee: wanted.fee.double,
                    ranges: wanted.ranges.map {
                        LiquidityPool.Range(
                            lower: $0.lower.double, upper: $0.upper?.double ?? .infinity,
                            liquidity: $0.liquidity.double)
                    })
            }
            guard pool.agrees(with: price.double) else {
                throw Problem(
                    place.appending(index), .contradiction,
                    "The pool's price \(pool.price) is further from the asset's \(price) than its fee of \(wanted.fee): one of them is old."
                )
            }
            known.append(pool)
        }
        self.init(known)
    }
}
