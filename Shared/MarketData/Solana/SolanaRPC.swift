public import WireFormat
private import FoundationEssentials

/// The envelopes of Solana's JSON-RPC, and its error numbers.
///
/// Source: anza-xyz/agave, rpc-client-api/src/custom_error.rs.
public enum SolanaRPC {
    /// One call.
    public static func call(_ method: String, _ parameters: [JSONValue], id: Int = 1) -> [UInt8] {
        let body: JSONValue = [
            "jsonrpc": "2.0", "id": JSONValue(id), "method": .string(method), "params": .array(parameters),
        ]
        return body.bytes()
    }

    /// The `result` of a single call's answer, whatever its HTTP status.
    public static func result(_ answer: SourceAnswer) throws(SourceFailure) -> JSONValue {
        try check(answer)
        return try result(in: try answer.json())
    }

    /// The results of a batch by id: the order of the answers means nothing, and one failure does not fail the others.
    public static func results(_ answer: SourceAnswer) throws(SourceFailure) -> [Int: Result<JSONValue, SourceFailure>]
    {
        try check(answer)
        let document = try answer.json()
        guard let entries = document.arrayValue else {
            // A batch refused as a whole is answered by one object.
            _ = try result(in: document)
            throw SourceFailure(.schema, "the answer to a batch is no list")
        }
        var results: [Int: Result<JSONValue, SourceFailure>] = [:]
        for entry in entries {
            guard let id = entry["id"]?.intValue else { throw SourceFailure(.schema, "an entry of a batch has no id") }
            let outcome: Result<JSONValue, SourceFailure>
            do throws(SourceFailure) {
                outcome = .success(try result(in: entry))
            } catch {
                outcome = .failure(error)
            }
            guard results.updateValue(outcome, forKey: id) == nil else {
                throw SourceFailure(.schema, "the id \(id) is answered twice")
            }
        }
        return results
    }

    private static func check(_ answer: SourceAnswer) throws(SourceFailure) {
        let failure = SourceFailure(
            status: answer.status, quote: answer.quote, retryAfterSeconds: answer.retryAfterSeconds)
        if let failure { throw failure }
        if answer.isWebPage { throw SourceFailure(.upstream, "a web page instead of JSON") }
    }

    private static func result(in envelope: JSONValue) throws(SourceFailure) -> JSONValue {
        guard envelope["jsonrpc"]?.stringValue == "2.0" else { throw SourceFailure(.schema, "no JSON-RPC 2.0 answer") }
        if let error = envelope["error"], !error.isNull { throw failure(error) }
        guard let result = envelope["result"] else { throw SourceFailure(.schema, "neither result nor error") }
        return result
    }

    private static func failure(_ error: JSONValue) -> SourceFailure {
        guard let code = error["code"]?.intValue else { return SourceFailure(.schema, "an error without a code") }
        let message = error["message"]?.stringValue ?? ""
        return SourceFailure(errorClass(code), "\(code): \(message.prefix(200))")
    }

    /// What an error number means for us.
    public static func errorClass(_ code: Int) -> SourceErrorClass {
        switch code {
        case -32_005: .nodeUnhealthy
        case -32_004, -32_014, -32_016: .notReady
        case -32_007, -32_009: .slotSkipped
        case -32_001, -32_011: .notAvailable
        case -32_010: .unsupported
        case -32_015, -32_600, -32_601, -32_602, -32_700: .clientBug
        case 429: .rateLimited
        case 403: .blocked
        case 401: .auth
        default: .upstream
        }
    }

    // MARK: Results

    /// `result.context.slot`.
    public static func slot(of result: JSONValue) throws(SourceFailure) -> UInt64 {
        guard let text = result["context"]?["slot"]?.numberValue?.text, let slot = UInt64(text) else {
            throw SourceFailure(.schema, "the answer has no context slot")
        }
        return slot
    }

    /// The accounts of `getMultipleAccounts` in the order asked for; nil = the account does not exist.
    public static func accounts(of result: JSONValue) throws(SourceFailure) -> [SolanaAccount?] {
        guard let values = result["value"]?.arrayValue else {
            throw SourceFailure(.schema, "the answer has no list of accounts")
        }
        var accounts: [SolanaAccount?] = []
        for value in values { accounts.append(try account(value)) }
        return accounts
    }

    /// The account of `getAccountInfo`; nil = it does not exist.
    public static func account(of result: JSONValue) throws(SourceFailure) -> SolanaAccount? {
        guard let value = result["value"] else { throw SourceFailure(.schema, "the answer has no account") }
        return try account(value)
    }

    private static func account(_ value: JSONValue) throws(SourceFailure) -> SolanaAccount? {
        if value.isNull { return nil }
        guard let owner = value["owner"]?.stringValue, let encoded = value["data"]?[0]?.stringValue,
            value["data"]?[1]?.stringValue == "base64", let data = Data(base64Encoded: encoded),
            // rentEpoch is 2^64-1: beyond Int64 and beyond what a double can tell apart.
            let lamports = value["lamports"]?.numberValue.flatMap({ UInt64($0.text) })
        else { throw SourceFailure(.schema, "an account lacks owner, lamports or base64 data") }
        return SolanaAccount(owner: owner, lamports: lamports, data: [UInt8](data))
    }
}

/// An account's state.
public struct SolanaAccount: Sendable, Equatable {
    public var owner: String
    public var lamports: UInt64
    public var data: [UInt8]
}
