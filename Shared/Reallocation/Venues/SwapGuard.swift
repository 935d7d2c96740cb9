/// What a swap's transaction may contain before it is signed: our fee payer, known programs, a capped fee, nothing that moves or gives away
/// what is ours beside the swap itself.
///
/// A transaction from an aggregator is a stranger's text: it is decoded and read, not trusted. Source: the instruction layouts of the system,
/// token, associated token and compute budget programs.
public struct SwapGuard: Sendable {
    public static let system = "11111111111111111111111111111111"
    public static let token = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
    public static let token2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
    public static let associatedToken = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
    public static let computeBudget = "ComputeBudget111111111111111111111111111111"
    public static let jupiter = "JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4"

    /// Our key.
    public var wallet: [UInt8]
    /// Programs that swap.
    public var swapPrograms: Set<String> = [SwapGuard.jupiter]
    /// Most lamports of fee beyond signatures.
    public var mostPriorityLamports: UInt64
    /// Most lamports that may be sent to anybody but ourselves: a tip.
    public var mostTipLamports: UInt64
    /// Most lamports that may be wrapped, for a swap out of SOL.
    public var mostWrappedLamports: UInt64

    public init(
        wallet: [UInt8], mostPriorityLamports: UInt64 = 2_000_000, mostTipLamports: UInt64 = 1_000_000,
        mostWrappedLamports: UInt64 = 0
    ) {
        self.wallet = wallet
        self.mostPriorityLamports = mostPriorityLamports
        self.mostTipLamports = mostTipLamports
        self.mostWrappedLamports = mostWrappedLamports
    }

    /// Why a transaction must not be signed; empty where it may.
    public func objections(to transaction: SolanaTransaction) -> [String] {
        var found: [String] = []
        if transaction.keys.first != wallet { found.append("the fee payer is not our wallet") }
        if !transaction.keys.prefix(transaction.signers).contains(wallet) {
            found.append("our wallet does not sign it")
        }
        var limit: UInt64 = 200_000 * UInt64(max(1, transaction.instructions.count))
        var price: UInt64 = 0
        var (tips, wrapped): (UInt64, UInt64) = (0, 0)
        var swaps = 0
        for instruction in transaction.instructions {
            let program = Base58.text(transaction.keys[instruction.program])
            let data = instruction.data
            switch program {
            case Self.computeBudget:
                if data.first == 2 { limit = Self.integer(data, at: 1, bytes: 4) ?? .max }
                if data.first == 3 { price = Self.integer(data, at: 1, bytes: 8) ?? .max }
            case Self.system:
                guard let kind = Self.integer(data, at: 0, bytes: 4), kind == 2, instruction.accounts.count >= 2,
                    let lamports = Self.integer(data, at: 4, bytes: 8)
                else {
                    found.append("an instruction of the system program that is not a transfer")
                    continue
                }
                // What follows decides what it was: into a wrapped account of ours, or away.
                if Self.isSynced(instruction.accounts[1], in: transaction) {
                    wrapped &+= lamports
                } else {
                    tips &+= lamports
                }
            case Self.token, Self.token2022:
                switch data.first {
                case 17: continue
                case 9:
                    if instruction.accounts.count < 2 || transaction.key(instruction.accounts[1]) != wallet {
                        found.append("a token account is closed to somebody else")
                    }
                case 3, 12: found.append("a transfer of tokens beside the swap")
                case 4, 13: found.append("an approval for somebody to spend tokens")
                case 6: found.append("a change of an account's authority")
                default: found.append("an instruction \(data.first ?? 255) of the token program")
                }
            case Self.associatedToken:
                // Funding account, new account, its owner, ...
                if instruction.accounts.count < 3 || transaction.key(instruction.accounts[2]) != wallet {
                    found.append("a token account is made for somebody else")
                }
                if data.first ?? 0 > 1 { found.append("an instruction \(data[0]) of the associated token program") }
            default:
                if swapPrograms.contains(program) {
                    swaps += 1
                } else {
                    found.append("the program \(program) is not known")
                }
            }
        }
        if swaps != 1 { found.append("\(swaps) swaps instead of one") }
        if tips > mostTipLamports { found.append("\(tips) lamports go to somebody else") }
        if wrapped > mostWrappedLamports { found.append("\(wrapped) lamports are wrapped") }
        let fee = NetworkFee.lamports(signatures: 0, computeUnits: limit, microLamportsPerUnit: price)
        if fee.map({ $0 > mostPriorityLamports }) ?? true {
            found.append("a fee of \(fee.map { "\($0)" } ?? "too many") lamports beyond the signatures")
        }
        return found
    }

    /// Whether a later instruction of the token program syncs the account: then lamports were wrapped.
    private static func isSynced(_ account: Int, in transaction: SolanaTransaction) -> Bool {
        transaction.instructions.contains {
            $0.data.first == 17 && $0.accounts.first == account
                && Base58.text(transaction.keys[$0.program]) == token
        }
    }

    /// A little-endian integer; nil beyond the data.
    private static func integer(_ data: [UInt8], at start: Int, bytes: Int) -> UInt64? {
        guard data.count >= start + bytes else { return nil }
        return (0..<bytes).reduce(UInt64(0)) { $0 | UInt64(data[start + $1]) << (8 * UInt64($1)) }
    }
}

/// What to do about a transaction that was sent and has not been seen to land.
public enum ResendRule: Sendable, Equatable {
    /// It has landed and is final enough to go on.
    case landed
    /// It has landed and failed: nothing was swapped.
    case failed
    /// Send the same bytes again: they can execute once only.
    case resend
    /// Its blockhash has expired and the network does not know it: only now may another one be made.
    case expired

    /// - Parameters:
    ///   - confirmation: what `getSignatureStatuses` says; nil where it knows nothing.
    ///   - hasError: whether it landed with an error.
    ///   - height: the block height at commitment `confirmed`.
    ///   - lastValid: the last height at which its blockhash is valid.
    public static func decide(confirmation: String?, hasError: Bool, height: UInt64, lastValid: UInt64) -> ResendRule {
        switch confirmation {
        case "confirmed", "finalized": hasError ? .failed : .landed
        case nil where height > lastValid: .expired
        // Seen by some validators only: it may still be dropped, and it may still land.
        default: .resend
        }
    }
}
