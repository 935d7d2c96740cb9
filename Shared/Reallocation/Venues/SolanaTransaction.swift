/// A Solana transaction as it goes over the wire: signatures, then the message that they sign, legacy or version 0.
///
///     wire = shortvec(signatures) + 64-byte slots + message
///     message = [0x80] + header(3) + shortvec keys(32) + blockhash(32) + shortvec instructions [+ shortvec table look-ups]
///
/// Source: solana.com/docs/core/transactions; the short vector is a length in base 128, low bits first, at most three bytes.
public struct SolanaTransaction: Sendable, Equatable {
    public static let mostBytes = 1232

    public struct Instruction: Sendable, Equatable {
        /// Indices into the keys; those beyond the message's own keys come from look-up tables.
        public var program: Int
        public var accounts: [Int]
        public var data: [UInt8]
    }

    public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
        case tooLong(Int)
        case ends
        case version(UInt8)
        case index(Int)
        case notASigner(String)

        public var description: String {
            switch self {
            case .tooLong(let count): "the transaction has \(count) bytes, more than \(SolanaTransaction.mostBytes)"
            case .ends: "the transaction ends in the middle"
            case .version(let version): "the message has version \(version), which is not known"
            case .index(let index): "an index of \(index) is beyond the keys"
            case .notASigner(let key): "\(key) does not sign this transaction"
            }
        }
    }

    public private(set) var signatures: [[UInt8]]
    /// What is signed.
    public let message: [UInt8]
    public let signers: Int
    /// The message's own keys; the first pays the fee.
    public let keys: [[UInt8]]
    public let blockhash: [UInt8]
    public let instructions: [Instruction]
    /// Keys that look-up tables add: how many, writable and read-only.
    public let lookedUp: Int

    /// Reads a transaction, to its last byte.
    public init(_ wire: [UInt8]) throws(Failure) {
        guard wire.count <= Self.mostBytes else { throw .tooLong(wire.count) }
        var reader = Reader(bytes: wire)
        let count = try reader.length()
        var signatures: [[UInt8]] = []
        for _ in 0..<count { signatures.append(try reader.take(64)) }
        self.signatures = signatures
        message = Array(wire[reader.at...])
        var isVersioned = false
        if let first = wire[reader.at...].first, first & 0x80 != 0 {
            guard first == 0x80 else { throw .version(first & 0x7f) }
            isVersioned = true
            _ = try reader.take(1)
        }
        signers = Int(try reader.take(3)[0])
        var keys: [[UInt8]] = []
        for _ in 0..<(try reader.length()) { keys.append(try reader.take(32)) }
        self.keys = keys
        blockhash = try reader.take(32)
        var instructions: [Instruction] = []
        for _ in 0..<(try reader.length()) {
            let program = Int(try reader.take(1)[0])
            let accounts = try reader.take(try reader.length()).map { Int($0) }
            instructions.append(
                Instruction(program: program, accounts: accounts, data: try reader.take(try reader.length())))
        }
        self.instructions = instructions
        var lookedUp = 0
        if isVersioned {
            for _ in 0..<(try reader.length()) {
                _ = try reader.take(32)
                let writable = try reader.take(try reader.length()).count
                lookedUp += writable + (try reader.take(try reader.length()).count)
            }
        }
        self.lookedUp = lookedUp
        guard reader.at == wire.count else { throw .ends }
        guard signers == signatures.count, signers <= keys.count else { throw .index(signers) }
        for instruction in instructions {
            // A program never comes from a look-up table.
            guard instruction.program < keys.count else { throw .index(instruction.program) }
            for account in instruction.accounts where account >= keys.count + lookedUp { throw .index(account) }
        }
    }

    /// The key at an index; nil for one from a look-up table.
    public func key(_ index: Int) -> [UInt8]? { index < keys.count ? keys[index] : nil }

    /// Puts a signature into the slot of a key.
    public mutating func sign(_ signature: [UInt8], by key: [UInt8]) throws(Failure) {
        guard let slot = keys.prefix(signers).firstIndex(of: key), signature.count == 64 else {
            throw .notASigner(Base58.text(key))
        }
        signatures[slot] = signature
    }

    /// The first signature, by which the network knows the transaction.
    public var id: String { signatures.first.map { Base58.text($0) } ?? "" }

    public var wire: [UInt8] { Self.length(signatures.count) + signatures.flatMap { $0 } + message }

    /// A length as a short vector.
    static func length(_ count: Int) -> [UInt8] {
        var rest = count
        var bytes: [UInt8] = []
        repeat {
            bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
            rest >>= 7
        } while rest > 0
        return bytes
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        mutating func take(_ count: Int) throws(Failure) -> [UInt8] {
            guard count >= 0, at + count <= bytes.count else { throw .ends }
            defer { at += count }
            return Array(bytes[at..<(at + count)])
        }

        mutating func length() throws(Failure) -> Int {
            var value = 0
            for shift in [0, 7, 14] {
                let byte = try take(1)[0]
                value |= Int(byte & 0x7f) << shift
                if byte & 0x80 == 0 { return value }
            }
            throw .ends
        }
    }
}
