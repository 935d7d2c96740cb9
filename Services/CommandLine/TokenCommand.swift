import ArgumentParser
import Foundation
import ServiceKit

/// A signed token for Supabase's clients and for the realtime feed.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Mint a JWT (HS256) with BALLAST_JWT_SECRET, as Supabase's clients use them.")

    enum Role: String, ExpressibleByArgument, CaseIterable {
        case anon, authenticated
        case serviceRole = "service_role"
    }

    @Option(name: .long, help: "Whom the token speaks for; it decides the scopes unless --scopes does.")
    var role: Role = .authenticated

    @Option(name: .long, help: ArgumentHelp("How long it is valid: 90d, 12h, 30m or seconds.", valueName: "time"))
    var expiresIn: Lifetime = .hour

    @Option(name: .long, help: ArgumentHelp("The tenant's id; default the standard tenant.", valueName: "uuid"))
    var tenant: String?

    @Option(name: .long, help: "The claim sub.")
    var subject: String?

    @Option(name: .long, help: ArgumentHelp("What the token may do, separated by commas.", valueName: "a,b"))
    var scopes: ScopeList?

    func validate() throws {
        if let tenant, UUID(uuidString: tenant) == nil { throw ValidationError("--tenant takes a UUID.") }
    }

    func run() async throws {
        try await runCommand {
            guard let secret = try Configuration().value(Options.jwtSecret) else {
                throw CommandFailure(.usage, "\(Options.jwtSecret.variable) is not set.")
            }
            let now = Date().timeIntervalSince1970
            let token = try await JWTVerifier(secret: secret).mint(
                role: role.rawValue, subject: subject, tenant: tenant.flatMap { UUID(uuidString: $0) },
                scopes: scopes?.scopes, issued: now, expires: now + Double(expiresIn.seconds))
            Terminal.out(token)
        }
    }
}

extension Lifetime {
    static let hour = Lifetime(seconds: 3600)
    static let day = Lifetime(seconds: 86_400)
    private init(seconds: Int) { self.seconds = seconds }
}
