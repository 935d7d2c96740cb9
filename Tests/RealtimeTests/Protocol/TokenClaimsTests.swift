import Realtime
import Testing

@Suite("Claims of a token")
struct TokenClaimsTests {
    // {"alg":"HS256","typ":"JWT"} . {"role":"anon","exp":2000,"sub":"u1"}
    static let good = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiIsImV4cCI6MjAwMCwic3ViIjoidTEifQ.c2ln"
    // {"role":"anon"}
    static let withoutExpiry = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJyb2xlIjoiYW5vbiJ9.c2ln"

    @Test func `reads role, expiry and subject`() throws {
        let claims = try TokenClaims(token: Self.good, now: 1000)
        #expect(claims.role == "anon")
        #expect(claims.expiry == 2000)
        #expect(claims.subject == "u1")
    }

    @Test func `says for how long a token has been expired`() {
        #expect(throws: TokenClaims.Failure.expired(secondsAgo: 5)) { try TokenClaims(token: Self.good, now: 2005) }
        #expect(
            TokenClaims.Failure.expired(secondsAgo: 5).joinReason == "InvalidJWTToken: Token has expired 5 seconds ago")
        #expect(TokenClaims.Failure.expired(secondsAgo: 5).connectionError == "Token has expired")
    }

    @Test func `role and exp are required`() {
        #expect(throws: TokenClaims.Failure.missingClaims) { try TokenClaims(token: Self.withoutExpiry, now: 0) }
    }

    @Test(arguments: [
        "", "x", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30", "eyJhbGciOiJIUzI1NiJ9.e30.", "é.é.é", "e30.e30.c2ln",
    ])
    func `what is no token is malformed`(token: String) {
        #expect(throws: TokenClaims.Failure.malformed) { try TokenClaims(token: token, now: 0) }
    }
}
