/// What the Solana network takes for a transaction, in lamports.
public enum NetworkFee {
    /// 5,000 a signature, and the compute limit times its price in millionths of a lamport, rounded up; nil on overflow.
    public static func lamports(
        signatures: UInt64, computeUnits: UInt64, microLamportsPerUnit: UInt64, tip: UInt64 = 0
    ) -> UInt64? {
        let priority = (UInt128(computeUnits) * UInt128(microLamportsPerUnit) + 999_999) / 1_000_000
        return UInt64(exactly: UInt128(signatures) * 5_000 + priority + UInt128(tip))
    }

    /// The compute limit to ask for: 1.2 times what the simulation used, at most what a transaction may use.
    public static func computeLimit(simulated: UInt64) -> UInt64 {
        simulated >= 1_166_667 ? 1_400_000 : (simulated * 12 + 9) / 10
    }
}
