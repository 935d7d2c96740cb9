public import WireFormat

/// What a swap does to our balances when a node simulates it, compared with what was meant before anything is signed: instructions that look
/// right may still move more than they say.
public struct SimulatedSwap: Sendable {
    /// Wrapped SOL: its account is made and closed within the transaction, so that the wallet's own lamports tell.
    public static let wrappedSOL = "So11111111111111111111111111111111111111112"
    /// Rent of a token account, at most.
    static let rent: Int64 = 3_000_000

    /// A token account and what is in it, in smallest units.
    public struct Balance: Sendable, Equatable {
        public var address: String
        public var mint: String
        public var amount: Int64

        public init(address: String, mint: String, amount: Int64) {
            self.address = address
            self.mint = mint
            self.amount = amount
        }
    }

    public var wallet: String
    /// Before: token accounts of both mints, and the wallet's lamports.
    public var before: [Balance]
    public var lamports: Int64
    /// Token accounts that the transaction makes for us.
    public var made: [String]
    public var input: String
    public var output: String
    /// Most that may go in, and least that has to come out.
    public var most: UInt64
    public var least: UInt64
    /// Fees, priority and tip that the guard allows.
    public var mostLamports: UInt64

    public init(
        wallet: String, before: [Balance], lamports: Int64, made: [String], input: String, output: String, most: UInt64,
        least: UInt64, mostLamports: UInt64
    ) {
        self.wallet = wallet
        self.before = before
        self.lamports = lamports
        self.made = made
        self.input = input
        self.output = output
        self.most = most
        self.least = least
        self.mostLamports = mostLamports
    }

    /// Accounts of token programs that instructions make for a wallet.
    public static func accountsMade(by transaction: SolanaTransaction, for wallet: [UInt8]) -> [String] {
        transaction.instructions.compactMap { instruction in
            guard let program = transaction.key(instruction.program),
                Base58.text(program) == SwapGuard.associatedToken, instruction.accounts.count > 2,
                transaction.key(instruction.accounts[2]) == wallet
            else { return nil }
            return transaction.key(instruction.accounts[1]).map { Base58.text($0) }
        }
    }

    /// The accounts whose state after the simulation is asked for: the wallet first.
    public var addresses: [String] {
        var seen: Set<String> = []
        return ([wallet] + before.map { $0.address } + made).filter { seen.insert($0).inserted }
    }

    /// Why the swap must not be signed, by the accounts that the simulation answered in the order of `addresses`; empty where it may.
    public func objections(_ accounts: [JSONValue]?) -> [String] {
        guard let accounts, accounts.count == addresses.count, let after = accounts[0]["lamports"]?.intValue else {
            return ["the simulation does not show our balances"]
        }
        var held: [String: Int64] = [:]
        for account in accounts.dropFirst() where account != .null {
            let info = account["data"]?["parsed"]?["info"]
            guard let mint = info?["mint"]?.stringValue, let owner = info?["owner"]?.stringValue,
                let amount = info?["tokenAmount"]?["amount"]?.stringValue.flatMap({ Int64($0) })
            else { return ["an account of the simulation cannot be read"] }
            guard owner == wallet else { return ["an account of ours belongs to somebody else afterwards"] }
            let (sum, overflows) = held[mint, default: 0].addingReportingOverflow(amount)
            if overflows { return ["the simulated balances are too large"] }
            held[mint] = sum
        }
        var start: [String: Int64] = [:]
        for balance in before { start[balance.mint, default: 0] += balance.amount }
        var spentLamports = lamports - Int64(after)
        let fees = Int64(clamping: mostLamports) + Self.rent * Int64(made.count) + 10_000
        func change(_ mint: String) -> Int64 { held[mint, default: 0] - start[mint, default: 0] }
        var found: [String] = []
        var (paid, got) = (-change(input), change(output))
        if input == Self.wrappedSOL {
            paid += spentLamports
            if paid > Int64(clamping: most) + fees { found.append("\(paid) lamports would go in, not \(most)") }
            spentLamports = 0
        } else if paid > Int64(clamping: most) {
            found.append("\(paid) units of \(input) would go in, not \(most)")
        }
        if output == Self.wrappedSOL {
            got -= spentLamports
            if got < Int64(clamping: least) - fees { found.append("\(got) lamports would come out, not \(least)") }
            spentLamports = 0
        } else if got < Int64(clamping: least) {
            found.append("\(got) units of \(output) would come out, not \(least)")
        }
        if spentLamports > fees { found.append("\(spentLamports) lamports would be gone, more than \(fees)") }
        return found
    }
}
