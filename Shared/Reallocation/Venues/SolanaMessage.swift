/// Instructions put together into a message of version 0, with the keys that look-up tables hold left out.
///
///     [0x80] + header(3) + shortvec keys + blockhash + shortvec instructions + shortvec tables
///
/// Keys stand in four groups: signers that are written, signers, what is written, the rest; the fee payer is the first. Indices beyond the
/// message's own keys count the writable look-ups of all tables, then the read-only ones. Programs are never looked up.
/// Source: solana.com/docs/core/transactions, versioned transactions and address look-up tables.
public struct SolanaMessage: Sendable, Equatable {
    public struct Account: Sendable, Equatable {
        public var key: [UInt8]
        public var isSigner: Bool
        public var isWritable: Bool

        public init(key: [UInt8], isSigner: Bool, isWritable: Bool) {
            self.key = key
            self.isSigner = isSigner
            self.isWritable = isWritable
        }
    }

    public struct Instruction: Sendable, Equatable {
        public var program: [UInt8]
        public var accounts: [Account]
        public var data: [UInt8]

        public init(program: [UInt8], accounts: [Account], data: [UInt8]) {
            self.program = program
            self.accounts = accounts
            self.data = data
        }
    }

    public struct Table: Sendable, Equatable {
        public var key: [UInt8]
        public var addresses: [[UInt8]]

        public init(key: [UInt8], addresses: [[UInt8]]) {
            self.key = key
            self.addresses = addresses
        }
    }

    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        case key
        case tooManyAccounts(Int)
        case tooLong(Int)

        public var description: String {
            switch self {
            case .key: "a key or a blockhash that has not 32 bytes"
            case .tooManyAccounts(let count): "\(count) accounts, more than a message can name"
            case .tooLong(let count): "\(count) bytes of one instruction, more than fit into a message"
            }
        }
    }

    /// The message's bytes: what is signed.
    public let bytes: [UInt8]
    public let signers: Int

    public init(
        payer: [UInt8], _ instructions: [Instruction], blockhash: [UInt8], tables: [Table] = []
    ) throws(Failure) {
        guard payer.count == 32, blockhash.count == 32, tables.allSatisfy({ $0.key.count == 32 }) else { throw .key }
        // Every key once, with the most that any instruction wants of it.
        var order: [[UInt8]] = [payer]
        var wants: [[UInt8]: (signs: Bool, writes: Bool, runs: Bool)] = [payer: (true, true, false)]
        func add(_ key: [UInt8], signs: Bool, writes: Bool, runs: Bool) throws(Failure) {
            guard key.count == 32 else { throw .key }
            if let known = wants[key] {
                wants[key] = (known.signs || signs, known.writes || writes, known.runs || runs)
            } else {
                order.append(key)
                wants[key] = (signs, writes, runs)
            }
        }
        for instruction in instructions {
            guard instruction.data.count <= SolanaTransaction.mostBytes else { throw .tooLong(instruction.data.count) }
            try add(instruction.program, signs: false, writes: false, runs: true)
            for account in instruction.accounts {
                try add(account.key, signs: account.isSigner, writes: account.isWritable, runs: false)
            }
        }
        var found: [[UInt8]: (table: Int, index: Int)] = [:]
        for (number, table) in tables.enumerated() {
            for (index, key) in table.addresses.prefix(256).enumerated() where found[key] == nil {
                found[key] = (number, index)
            }
        }
        func isLookedUp(_ key: [UInt8]) -> Bool {
            guard let want = wants[key], !want.signs, !want.runs else { return false }
            return found[key] != nil
        }
        func group(_ signs: Bool, _ writes: Bool) -> [[UInt8]] {
            order.filter { key in
                wants[key].map { $0.signs == signs && $0.writes == writes } ?? false && !isLookedUp(key)
            }
        }
        let groups = [group(true, true), group(true, false), group(false, true), group(false, false)]
        let keys = groups.flatMap { $0 }
        var writable = tables.map { _ in [UInt8]() }
        var readable = writable
        var all = keys
        for writes in [true, false] {
            for number in tables.indices {
                for key in order where isLookedUp(key) && wants[key]?.writes == writes && found[key]?.table == number {
                    let index = UInt8(found[key]?.index ?? 0)
                    if writes { writable[number].append(index) } else { readable[number].append(index) }
                    all.append(key)
                }
            }
        }
        guard all.count <= 255 else { throw .tooManyAccounts(all.count) }
        var places: [[UInt8]: UInt8] = [:]
        for (index, key) in all.enumerated() { places[key] = UInt8(index) }
        signers = groups[0].count + groups[1].count
        var bytes: [UInt8] = [0x80, UInt8(signers), UInt8(groups[1].count), UInt8(groups[3].count)]
        bytes += SolanaTransaction.length(keys.count) + keys.flatMap { $0 } + blockhash
        bytes += SolanaTransaction.length(instructions.count)
        for instruction in instructions {
            bytes.append(places[instruction.program] ?? 0)
            bytes += SolanaTransaction.length(instruction.accounts.count)
            bytes += instruction.accounts.map { places[$0.key] ?? 0 }
            bytes += SolanaTransaction.length(instruction.data.count) + instruction.data
        }
        let used = tables.indices.filter { !writable[$0].isEmpty || !readable[$0].isEmpty }
        bytes += SolanaTransaction.length(used.count)
        for number in used {
            bytes += tables[number].key
            bytes += SolanaTransaction.length(writable[number].count) + writable[number]
            bytes += SolanaTransaction.length(readable[number].count) + readable[number]
        }
        self.bytes = bytes
    }

    /// A transaction of this message with empty slots for signatures.
    public var unsigned: [UInt8] {
        SolanaTransaction.length(signers) + [UInt8](repeating: 0, count: 64 * signers) + bytes
    }
}
