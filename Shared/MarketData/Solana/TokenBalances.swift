public import WireFormat

/// An amount of a token: `amount` base units, `10^-decimals` each. The node's own `uiAmount` is a double and never used.
public struct TokenAmount: Sendable, Equatable {
    public var amount: UInt64
    public var decimals: Int

    /// In whole tokens, exact.
    public var value: DecimalNumber? { DecimalNumber(amount, exponent: -decimals) }

    init(_ json: JSONValue?) throws(SourceFailure) {
        guard let json, let text = json["amount"]?.stringValue, let amount = UInt64(text),
            let decimals = json["decimals"]?.intValue,
            (0...38).contains(decimals)
        else { throw SourceFailure(.schema, "a token amount lacks amount or decimals") }
        self.amount = amount
        self.decimals = decimals
    }
}

/// What one token account holds.
public struct TokenHolding: Sendable, Equatable {
    public var account: String
    public var mint: String
    public var owner: String
    public var amount: TokenAmount
}

extension SolanaRPC {
    /// The supply of `getTokenSupply`.
    public static func supply(of result: JSONValue) throws(SourceFailure) -> TokenAmount {
        try TokenAmount(result["value"])
    }

    /// Addresses of token accounts (not of their owners) and their amounts, of `getTokenLargestAccounts`.
    public static func largestAccounts(
        of result: JSONValue
    ) throws(SourceFailure) -> [(address: String, amount: TokenAmount)] {
        guard let entries = result["value"]?.arrayValue else { throw SourceFailure(.schema, "the answer has no list") }
        var accounts: [(address: String, amount: TokenAmount)] = []
        for entry in entries {
            guard let address = entry["address"]?.stringValue else {
                throw SourceFailure(.schema, "an entry has no address")
            }
            accounts.append((address, try TokenAmount(entry)))
        }
        return accounts
    }

    /// Holdings of `getTokenAccountsByOwner` in the encoding `jsonParsed`. A wallet has a second list under Token-2022.
    public static func holdings(of result: JSONValue) throws(SourceFailure) -> [TokenHolding] {
        guard let entries = result["value"]?.arrayValue else { throw SourceFailure(.schema, "the answer has no list") }
        var holdings: [TokenHolding] = []
        for entry in entries {
            let details = entry["account"]?["data"]?["parsed"]?["info"]
            guard let account = entry["pubkey"]?.stringValue, let mint = details?["mint"]?.stringValue,
                let owner = details?["owner"]?.stringValue
            else { throw SourceFailure(.schema, "a token account lacks its address, mint or owner") }
            holdings.append(
                TokenHolding(
                    account: account, mint: mint, owner: owner, amount: try TokenAmount(details?["tokenAmount"])))
        }
        return holdings
    }
}
