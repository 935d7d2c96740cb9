/// Solana messages for tests: version 0, without look-up tables.
public enum SolanaMessages {
    public struct Instruction {
        public var program: Int
        public var accounts: [Int]
        public var data: [UInt8]

        public init(program: Int, accounts: [Int] = [], data: [UInt8] = []) {
            self.program = program
            self.accounts = accounts
            self.data = data
        }
    }

    /// A transaction with empty slots for `signers` signatures.
    public static func wire(
        signers: Int = 1, keys: [[UInt8]], blockhash: [UInt8] = [UInt8](repeating: 9, count: 32),
        _ instructions: [Instruction]
    ) -> [UInt8] {
        var message: [UInt8] = [0x80, UInt8(signers), 0, 0, UInt8(keys.count)]
        message += keys.flatMap { $0 } + blockhash + [UInt8(instructions.count)]
        for instruction in instructions {
            message += [UInt8(instruction.program), UInt8(instruction.accounts.count)]
            message += instruction.accounts.map { UInt8($0) }
            message += [UInt8(instruction.data.count)] + instruction.data
        }
        return [UInt8(signers)] + [UInt8](repeating: 0, count: 64 * signers) + message + [0]
    }

    /// An integer, low bytes first.
    public static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
