public import WireFormat

/// Jupiter's Swap API v2 as text: what an order says, and what became of it. Source: dev.jup.ag, Swap API v2, order and execute, as of 2026.
public enum Jupiter {
    /// The answer of `GET /order`.
    public struct Order: Sendable, Equatable {
        public var requestID: String
        /// Base64; nil where it was priced and cannot be built.
        public var transaction: String?
        public var inAmount: UInt64
        public var outAmount: UInt64
        /// The least that comes out.
        public var threshold: UInt64
        public var lastValidBlockHeight: UInt64?
        public var errorMessage: String?

        public init?(json: JSONValue) {
            guard let requestID = json["requestId"]?.stringValue, let inAmount = Jupiter.amount(json["inAmount"]),
                let outAmount = Jupiter.amount(json["outAmount"]),
                let threshold = Jupiter.amount(json["otherAmountThreshold"])
            else { return nil }
            self.requestID = requestID
            self.inAmount = inAmount
            self.outAmount = outAmount
            self.threshold = threshold
            let text = json["transaction"]?.stringValue ?? ""
            transaction = text.isEmpty ? nil : text
            lastValidBlockHeight = Jupiter.amount(json["lastValidBlockHeight"])
            errorMessage = json["errorMessage"]?.stringValue
        }

        /// Why the order must not be signed; empty where it may: the amounts are those asked for, and the least that comes out is no less
        /// than our own price allows.
        public func objections(asked: UInt64, ownPriceOut: FixedDecimal, tolerance: FixedDecimal) -> [String] {
            Jupiter.objections(
                inAmount: inAmount, threshold: threshold, asked: asked, ownPriceOut: ownPriceOut, tolerance: tolerance)
        }
    }

    /// The answer of `POST /execute`.
    public enum Execution: Sendable, Equatable {
        case success(signature: String, input: UInt64, output: UInt64)
        /// The aggregator says that it failed. The network decides: the signature is asked for.
        case failed(code: Int, message: String)
        case unknown

        public init(status: Int, body: JSONValue?) {
            guard status == 200, let body, let said = body["status"]?.stringValue else {
                self = .unknown
                return
            }
            if said == "Success", let signature = body["signature"]?.stringValue,
                let input = Jupiter.amount(body["totalInputAmount"] ?? body["inputAmountResult"]),
                let output = Jupiter.amount(body["totalOutputAmount"] ?? body["outputAmountResult"])
            {
                self = .success(signature: signature, input: input, output: output)
            } else if said == "Failed" {
                self = .failed(code: body["code"]?.intValue ?? 0, message: body["error"]?.stringValue ?? "failed")
            } else {
                self = .unknown
            }
        }
    }

    /// How much of a token an account gained or lost in a transaction that has landed, in its smallest units, from the balances before and
    /// after: the quote is not what happened. Nil where the transaction does not say.
    public static func change(of mint: String, owner: String, in meta: JSONValue) -> Int64? {
        func total(_ name: String) -> Int64? {
            guard let balances = meta[name]?.arrayValue else { return nil }
            var sum: Int64 = 0
            for balance in balances where balance["mint"]?.stringValue == mint && balance["owner"]?.stringValue == owner
            {
                guard let amount = balance["uiTokenAmount"]?["amount"]?.stringValue.flatMap({ Int64($0) }) else {
                    return nil
                }
                let (next, overflows) = sum.addingReportingOverflow(amount)
                guard !overflows else { return nil }
                sum = next
            }
            return sum
        }
        guard let before = total("preTokenBalances"), let after = total("postTokenBalances") else { return nil }
        return after - before
    }

    /// An unsigned integer that comes as text or as a number.
    static func amount(_ value: JSONValue?) -> UInt64? {
        value?.stringValue.flatMap { UInt64($0) } ?? value?.intValue.flatMap { UInt64(exactly: $0) }
    }
}
