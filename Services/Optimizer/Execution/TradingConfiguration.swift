import Crypto
import Foundation
import HTTPFetch
import Logging
import Reallocation
import ServiceKit
import WireFormat

/// The variables that say where this installation may trade. Keys come from files only, never from the environment.
enum TradingOptions {
    static let realMoney = ConfigurationOption<Bool>.flag(
        "BALLAST_REAL_MONEY", default: false,
        help: "true: venues that trade real money may be used; without it only paper accounts and test networks")
    static let orderLimit = ConfigurationOption<String?>.optionalText(
        "BALLAST_ORDER_LIMIT", help: "most value of one order, in the portfolio's currency")
    static let dayLimit = ConfigurationOption<String?>.optionalText(
        "BALLAST_DAY_LIMIT", help: "most value of all orders of a tenant and day")
    static let alpacaKeyFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_ALPACA_KEY_FILE", help: "file with two lines, key id and secret; without it there is no venue alpaca")
    static let alpacaURL = ConfigurationOption<String>.text(
        "BALLAST_ALPACA_URL", default: "https://paper-api.alpaca.markets",
        help: "Alpaca's Trading API; any other than the paper account needs BALLAST_REAL_MONEY")
    static let solanaKeyFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_SOLANA_KEY_FILE",
        help: "file with the wallet's key as solana-keygen writes it; without it there is no venue jupiter")
    static let solanaURL = ConfigurationOption<String>.text(
        "BALLAST_SOLANA_TRADING_URL", default: "https://api.mainnet-beta.solana.com",
        help: "JSON-RPC of the network that swaps are sent to; any but loopback needs BALLAST_REAL_MONEY")
    static let jupiterURL = ConfigurationOption<String>.text(
        "BALLAST_JUPITER_URL", default: "https://api.jup.ag/swap/v2", help: "Jupiter's Swap API v2")
    static let jupiterKeyFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_JUPITER_KEY_FILE", help: "file with the API key of Jupiter; without it the rate is that of nobody")
    static let tokensFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_JUPITER_TOKENS_FILE",
        help:
            "JSON file: {\"cash\": symbol, \"slippage_bps\": n, \"source\": order|build, \"tokens\": {symbol: {\"mint\": text, \"decimals\": n}}}"
    )

    static let rows: [ConfigurationRow] = [
        realMoney.row, orderLimit.row, dayLimit.row, alpacaKeyFile.row, alpacaURL.row, solanaKeyFile.row, solanaURL.row,
        jupiterURL.row, jupiterKeyFile.row, tokensFile.row,
    ]
}

extension Configuration {
    /// Where this installation may trade. A venue of real money without the setting that allows it stops the service.
    func tradingDesk() throws -> TradingDesk {
        var desk = TradingDesk()
        desk.orderLimit = try limit(TradingOptions.orderLimit)
        desk.dayLimit = try limit(TradingOptions.dayLimit)
        let allowsRealMoney = try value(TradingOptions.realMoney)
        let client = HTTPClient()
        if let file = try value(TradingOptions.alpacaKeyFile) {
            let lines = try Self.text(file).split(whereSeparator: \.isNewline).map(String.init)
            guard lines.count == 2 else {
                throw Problem(.invalidValue, "BALLAST_ALPACA_KEY_FILE has to hold two lines, key id and secret.")
            }
            let url = try value(TradingOptions.alpacaURL)
            let address = try HTTPAddress(url)
            try Self.require(
                allowsRealMoney || address.host == "paper-api.alpaca.markets" || address.isLoopback,
                "BALLAST_ALPACA_URL")
            let hints = OrderHints()
            desk.venues["alpaca"] = AlpacaVenue(
                url: url, keyID: lines[0], secret: lines[1], client: client, hints: hints)
            // The stream lies beside the API: https becomes wss, http (loopback) ws.
            let base = url.hasSuffix("/") ? String(url.dropLast()) : url
            desk.services.append(
                AlpacaStream(
                    url: "ws" + base.dropFirst(4) + "/stream", keyID: lines[0], secret: lines[1], hints: hints,
                    logger: Logger(label: "optimizer.alpaca")))
        }
        if let file = try value(TradingOptions.solanaKeyFile) {
            guard let tokens = try value(TradingOptions.tokensFile) else {
                throw Problem(.invalidValue, "BALLAST_SOLANA_KEY_FILE needs BALLAST_JUPITER_TOKENS_FILE.")
            }
            let rpc = try value(TradingOptions.solanaURL)
            try Self.require(allowsRealMoney || (try HTTPAddress(rpc).isLoopback), "BALLAST_SOLANA_TRADING_URL")
            let settings = try Self.jupiterSettings(
                try StrictJSON.parse(try Self.text(tokens), limits: .stored), api: try value(TradingOptions.jupiterURL),
                rpc: rpc, key: try value(TradingOptions.jupiterKeyFile).map { try Self.text($0) })
            desk.venues["jupiter"] = JupiterVenue(
                settings, key: try Self.solanaKey(try StrictJSON.parse(try Self.text(file), limits: .stored)),
                client: client)
        }
        return desk
    }

    private func limit(_ option: ConfigurationOption<String?>) throws -> FixedDecimal? {
        guard let text = try value(option) else { return nil }
        guard let limit = FixedDecimal(text), limit >= 0 else {
            throw Problem(.invalidValue, "\"\(Problem.echo(text))\" is not an amount.")
        }
        return limit
    }

    private static func require(_ isAllowed: Bool, _ variable: String) throws {
        guard isAllowed else {
            throw Problem(
                .invalidValue,
                "\(variable) names a venue of real money. Set BALLAST_REAL_MONEY=true if that is what you want.")
        }
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The key as solana-keygen writes it: 64 numbers, the seed and the public key that belongs to it.
    static func solanaKey(_ json: JSONValue) throws -> Curve25519.Signing.PrivateKey {
        let bytes = (json.arrayValue ?? []).compactMap { $0.intValue.flatMap { UInt8(exactly: $0) } }
        guard bytes.count == 64 else {
            throw Problem(.invalidValue, "The key file has to hold 64 numbers from 0 to 255.")
        }
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: bytes.prefix(32))
        guard Array(key.publicKey.rawRepresentation) == Array(bytes.suffix(32)) else {
            throw Problem(.invalidValue, "The public key in the key file is not that of its seed.")
        }
        return key
    }

    private static func jupiterSettings(
        _ json: JSONValue, api: String, rpc: String, key: String?
    ) throws -> JupiterVenue.Settings {
        let reader = MemberReader(json)
        let cash = reader.string("cash", required: true, maximumLength: 64) ?? ""
        let slippage = reader.int("slippage_bps", in: 0...10_000) ?? 50
        let word = reader.string("source") ?? JupiterVenue.Settings.Source.order.rawValue
        let source = JupiterVenue.Settings.Source(rawValue: word)
        if source == nil {
            reader.fault("source", .unknownValue, "\"\(Problem.echo(word))\" is neither order nor build.")
        }
        var tokens: [String: JupiterVenue.Token] = [:]
        if let inner = reader.object("tokens", required: true) {
            for member in inner.object.members {
                let token = MemberReader(
                    member.value, at: inner.pointer.appending(member.key), faults: reader.faults)
                let mint = token.string("mint", required: true, maximumLength: 44) ?? ""
                let decimals = token.int("decimals", in: 0...12) ?? 0
                if Base58.bytes(mint)?.count != 32 { token.fault("mint", .badFormat, "A mint is 32 bytes in base 58.") }
                token.finish()
                tokens[member.key] = JupiterVenue.Token(mint: mint, decimals: decimals)
            }
        }
        if tokens[cash] == nil { reader.fault("cash", .unknownValue, "\(Problem.echo(cash)) is not among the tokens.") }
        try reader.finishAndThrow()
        return JupiterVenue.Settings(
            api: api, rpc: rpc, apiKey: key, tokens: tokens, cash: cash, slippageBPS: slippage,
            source: source ?? .order)
    }
}
