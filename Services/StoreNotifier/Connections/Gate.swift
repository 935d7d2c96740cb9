import Realtime
import ServiceKit
import WireFormat

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Who a credential belongs to, and until when.
struct Identity: Sendable {
    let principal: Principal
    let token: String
    /// Seconds since 1970; nil for an API key, which is looked up again now and then.
    let expiry: Double?

    /// As PostgreSQL writes it.
    var tenant: String { principal.tenant.uuidString.lowercased() }
}

/// Why a credential opens nothing.
enum GateError: Error, Sendable {
    case missing
    case token(TokenClaims.Failure)
    case badKey
    /// The keys cannot be read just now.
    case unavailable

    /// Status and body of the answer to an upgrade, as the real server words them.
    var refusal: (status: Int, reason: String) {
        switch self {
        case .missing: (401, "API key is missing")
        case .token(let failure): (401, failure.connectionError)
        case .badKey: (401, "The API key is not valid")
        case .unavailable: (500, "Error connecting to Realtime")
        }
    }

    /// The reason of a refused join.
    var joinReason: String {
        switch self {
        case .missing: "MalformedJWT: The token provided is not a valid JWT"
        case .token(let failure): failure.joinReason
        case .badKey: "Unauthorized: The API key is not valid"
        case .unavailable: "UnableToConnectToProject: Realtime was unable to connect to the project database"
        }
    }

    /// The text of a `system` message on an open channel.
    var systemText: String {
        if case .token(let failure) = self { failure.systemText } else { refusal.reason }
    }
}

/// Checks credentials: HS256 tokens of Supabase's form, and our own API keys.
struct Gate: Sendable {
    let authenticator: Authenticator

    /// - Parameter credential: as sent; white space around it is dropped.
    func identify(_ credential: String?) async throws(GateError) -> Identity {
        let token = (credential ?? "").filter { !$0.isWhitespace }
        guard !token.isEmpty else { throw .missing }
        var expiry: Double?
        let isKey = token.hasPrefix("bk_")
        if !isKey {
            do throws(TokenClaims.Failure) {
                expiry = try TokenClaims(token: token, now: Self.now).expiry
            } catch {
                throw .token(error)
            }
        }
        do throws(Problem) {
            let principal = try await authenticator.authenticate(bearer: token, apiKey: nil)
            return Identity(principal: principal, token: token, expiry: expiry)
        } catch {
            switch error.status {
            case 401: throw isKey ? .badKey : .token(.signature)
            default: throw .unavailable
            }
        }
    }

    /// Seconds since 1970.
    static var now: Double { Double(WallClock.now.microsecondsSinceEpoch) / 1e6 }
}
