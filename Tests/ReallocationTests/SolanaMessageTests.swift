import Reallocation
import TestSupport
import Testing
import WireFormat

@Suite("Messages of version 0")
struct SolanaMessageTests {
    private func key(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    @Test("keys in four groups, tables left out, programs never looked up")
    func layout() throws {
        let message = try SolanaMessage(
            payer: key(1),
            [
                .init(
                    program: key(9),
                    accounts: [
                        .init(key: key(5), isSigner: false, isWritable: false),
                        .init(key: key(4), isSigner: false, isWritable: true),
                        .init(key: key(2), isSigner: true, isWritable: false),
                        .init(key: key(7), isSigner: false, isWritable: false),
                        .init(key: key(6), isSigner: false, isWritable: true),
                    ], data: [1, 2, 3]),
                // What one instruction reads another writes: once, written.
                .init(program: key(9), accounts: [.init(key: key(5), isSigner: false, isWritable: true)], data: []),
            ], blockhash: key(8),
            tables: [
                .init(key: key(20), addresses: [key(30), key(7), key(9)]), .init(key: key(21), addresses: [key(6)]),
                .init(key: key(22), addresses: [key(31)]),
            ])
        let transaction = try SolanaTransaction(message.unsigned)
        #expect(transaction.signers == 2 && transaction.blockhash == key(8))
        #expect(transaction.keys == [key(1), key(2), key(5), key(4), key(9)])
        // Two signers, one of them read-only; of the others one is read-only. Then indices: the writable look-up, then the other.
        #expect(Array(message.bytes.prefix(4)) == [0x80, 2, 1, 1])
        #expect(transaction.instructions[0].program == 4)
        #expect(transaction.instructions[0].accounts == [2, 3, 1, 6, 5])
        #expect(transaction.instructions[1].accounts == [2] && transaction.lookedUp == 2)
        // The tables that are used, with the places in them: 7 is the second of the first, 6 the first of the second.
        #expect(
            Array(message.bytes.suffix(2 * 32 + 7)) == [2] + key(20) + [0, 1, 1] + key(21) + [1, 0, 0])
        #expect(transaction.wire == message.unsigned)
    }

    @Test("what has no 32 bytes, or is too much, is refused")
    func refusals() {
        #expect(throws: SolanaMessage.Failure.self) { try SolanaMessage(payer: [1], [], blockhash: key(1)) }
        #expect(throws: SolanaMessage.Failure.self) {
            try SolanaMessage(
                payer: key(1), [.init(program: key(2), accounts: [], data: [UInt8](repeating: 0, count: 2000))],
                blockhash: key(1))
        }
        let many = (0..<300).map { n -> SolanaMessage.Account in
            .init(
                key: [UInt8(n / 256), UInt8(n % 256)] + [UInt8](repeating: 7, count: 30), isSigner: true,
                isWritable: true)
        }
        #expect(throws: SolanaMessage.Failure.tooManyAccounts(302)) {
            try SolanaMessage(payer: key(1), [.init(program: key(2), accounts: many, data: [])], blockhash: key(1))
        }
    }

    @Test("random messages are read as they were put together", arguments: 0..<100)
    func roundTrip(seed: Int) throws {
        var random = SplitMix64(seed: UInt64(seed))
        let pool = (0..<12).map { key(UInt8(40 + $0)) }
        let tables = (0..<3).map { n in
            SolanaMessage.Table(key: key(UInt8(100 + n)), addresses: (0..<4).map { _ in pool[random.integer(12)] })
        }
        let instructions = (0..<(1 + random.integer(4))).map { _ in
            SolanaMessage.Instruction(
                program: key(UInt8(200 + random.integer(3))),
                accounts: (0..<random.integer(6)).map { _ in
                    .init(key: pool[random.integer(12)], isSigner: random.chance(0.1), isWritable: random.chance(0.5))
                }, data: (0..<random.integer(20)).map { _ in UInt8(random.integer(256)) })
        }
        let message = try SolanaMessage(payer: key(1), instructions, blockhash: key(3), tables: tables)
        let transaction = try SolanaTransaction(message.unsigned)
        #expect(transaction.message == message.bytes && transaction.keys.first == key(1))
        for (read, meant) in zip(transaction.instructions, instructions) {
            #expect(transaction.keys[read.program] == meant.program && read.data == meant.data)
            for (index, account) in zip(read.accounts, meant.accounts) {
                if let own = transaction.key(index) { #expect(own == account.key) }
                // A signer stands in the message itself.
                if account.isSigner { #expect(index < transaction.signers) }
            }
        }
    }
}
