#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
public import WireFormat

extension Jupiter {
    /// The answer of `GET /build`: instructions to put a swap together from, instead of a finished transaction. Source: dev.jup.ag, Swap API
    /// v2, build, as of 2026.
    public struct Build: Sendable, Equatable {
        public var inAmount: UInt64
        public var outAmount: UInt64
        /// The least that comes out.
        public var threshold: UInt64
        public var lastValidBlockHeight: UInt64
        public var blockhash: [UInt8]
        /// The price of a compute unit, in millionths of a lamport.
        public var unitPrice: UInt64
        /// Setup, swap, clean-up, others, tip.
        public var instructions: [SolanaMessage.Instruction]
        public var tables: [SolanaMessage.Table]

        /// Reads an answer; nil where anything in it is not as it should be.
        public init?(json: JSONValue) {
            guard let inAmount = Jupiter.amount(json["inAmount"]), let outAmount = Jupiter.amount(json["outAmount"]),
                let threshold = Jupiter.amount(json["otherAmountThreshold"]),
                let block = json["blockhashWithMetadata"],
                let lastValid = Jupiter.amount(block["lastValidBlockHeight"]),
                let hash = block["blockhash"]?.arrayValue?.compactMap({ $0.intValue.flatMap { UInt8(exactly: $0) } }),
                hash.count == 32, let swap = json["swapInstruction"].flatMap({ Self.instruction($0) })
            else { return nil }
            self.inAmount = inAmount
            self.outAmount = outAmount
            self.threshold = threshold
            lastValidBlockHeight = lastValid
            blockhash = hash
            func list(_ name: String) -> [SolanaMessage.Instruction]? {
                var read: [SolanaMessage.Instruction] = []
                for item in json[name]?.arrayValue ?? [] {
                    guard let instruction = Self.instruction(item) else { return nil }
                    read.append(instruction)
                }
                return read
            }
            func one(_ name: String) -> [SolanaMessage.Instruction]? {
                guard let value = json[name], value != .null else { return [] }
                return Self.instruction(value).map { [$0] }
            }
            guard let budget = list("computeBudgetInstructions"), let setup = list("setupInstructions"),
                let cleanup = one("cleanupInstruction"), let others = list("otherInstructions"),
                let tip = one("tipInstruction")
            else { return nil }
            // Of the budget the price alone is taken over: the limit is ours.
            unitPrice =
                budget.first { $0.data.first == 3 && $0.data.count == 9 }.map { instruction in
                    (0..<8).reduce(UInt64(0)) { $0 | UInt64(instruction.data[1 + $1]) << (8 * UInt64($1)) }
                } ?? 0
            instructions = setup + [swap] + cleanup + others + tip
            tables = []
            for member in json["addressesByLookupTableAddress"]?.objectValue?.members ?? [] {
                guard let key = Base58.bytes(member.key), let texts = member.value.arrayValue else { return nil }
                let addresses = texts.compactMap { $0.stringValue.flatMap { Base58.bytes($0) } }
                guard key.count == 32, addresses.count == texts.count, addresses.allSatisfy({ $0.count == 32 }) else {
                    return nil
                }
                tables.append(SolanaMessage.Table(key: key, addresses: addresses))
            }
        }

        private static func instruction(_ json: JSONValue) -> SolanaMessage.Instruction? {
            guard let program = json["programId"]?.stringValue.flatMap({ Base58.bytes($0) }), program.count == 32,
                let data = json["data"]?.stringValue.flatMap({ Data(base64Encoded: $0) }),
                let list = json["accounts"]?.arrayValue
            else { return nil }
            var accounts: [SolanaMessage.Account] = []
            for item in list {
                guard let key = item["pubkey"]?.stringValue.flatMap({ Base58.bytes($0) }), key.count == 32,
                    let isSigner = item["isSigner"]?.boolValue, let isWritable = item["isWritable"]?.boolValue
                else { return nil }
                accounts.append(.init(key: key, isSigner: isSigner, isWritable: isWritable))
            }
            return SolanaMessage.Instruction(program: program, accounts: accounts, data: Array(data))
        }

        /// Most compute units that a transaction may have.
        public static let mostUnits: UInt32 = 1_400_000

        /// The message for so many compute units, their price lowered where it would cost more than `mostLamports`.
        public func message(
            payer: [UInt8], units: UInt32, mostLamports: UInt64
        ) throws(SolanaMessage.Failure) -> SolanaMessage {
            let budget = Base58.bytes(SwapGuard.computeBudget) ?? []
            let price = min(unitPrice, mostLamports * 1_000_000 / UInt64(max(units, 1)))
            func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
                (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
            }
            return try SolanaMessage(
                payer: payer,
                [
                    .init(program: budget, accounts: [], data: [2] + bytes(UInt64(units), 4)),
                    .init(program: budget, accounts: [], data: [3] + bytes(price, 8)),
                ] + instructions, blockhash: blockhash, tables: tables)
        }

        /// Units to ask for, a fifth beyond what a simulation used.
        public static func limit(used: Int) -> UInt32 {
            UInt32(clamping: min(Int(mostUnits), max(1, used) + max(1, used) / 5))
        }
    }

    /// Why a swap must not be signed; empty where it may: it takes what was asked, and the least that comes out is no less than our own price
    /// allows.
    public static func objections(
        inAmount: UInt64, threshold: UInt64, asked: UInt64, ownPriceOut: FixedDecimal, tolerance: FixedDecimal
    ) -> [String] {
        var found: [String] = []
        if inAmount != asked { found.append("it takes \(inAmount) instead of \(asked)") }
        let least = ownPriceOut - tolerance * ownPriceOut
        if FixedDecimal(Int(clamping: threshold)) < least {
            found.append("as little as \(threshold) may come out, less than \(least)")
        }
        return found
    }
}
