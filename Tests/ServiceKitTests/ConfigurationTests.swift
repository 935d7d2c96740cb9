import Foundation
import ServiceKit
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    private let secret = ConfigurationOption<Secret<String>>.secret("X_SECRET", minimumBytes: 8, help: "a secret")
    private let count = ConfigurationOption<Int>.integer("X_COUNT", default: "3", in: 1...9, help: "a number")

    /// A file that is removed with the test.
    private func withFile<R>(_ content: String, _ body: (String) throws -> R) throws -> R {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("ballast-\(UUID().uuidString)")
        try Data(content.utf8).write(to: url)
        defer { try? FileManager.default.removeItem(at: url) }
        return try body(url.path)
    }

    @Test("reads a variable, else the default")
    func defaults() throws {
        #expect(try Configuration(environment: [:]).value(count) == 3)
        #expect(try Configuration(environment: ["X_COUNT": "7"]).value(count) == 7)
        #expect(try Configuration(environment: ["X_COUNT": ""]).value(count) == 3)
    }

    @Test("reads a secret from the file that VARIABLE_FILE names, without its last newline")
    func secretFile() throws {
        let value = try withFile("correct horse\n") { path in
            try Configuration(environment: ["X_SECRET_FILE": path]).value(secret)
        }
        #expect(value.reveal() == "correct horse")
    }

    @Test("refuses what cannot be used, and says which variable")
    func refuses() throws {
        #expect(throws: ConfigurationError.missing(variable: "X_SECRET (or X_SECRET_FILE)")) {
            try Configuration(environment: [:]).value(secret)
        }
        #expect(throws: ConfigurationError.setTwice(variable: "X_SECRET", other: "X_SECRET_FILE")) {
            try Configuration(environment: ["X_SECRET": "12345678", "X_SECRET_FILE": "/x"]).value(secret)
        }
        #expect(throws: ConfigurationError.unreadable(variable: "X_SECRET_FILE", path: "/nonexistent/x")) {
            try Configuration(environment: ["X_SECRET_FILE": "/nonexistent/x"]).value(secret)
        }
        #expect(throws: ConfigurationError.self) { try Configuration(environment: ["X_COUNT": "10"]).value(count) }
        #expect(throws: ConfigurationError.self) { try Configuration(environment: ["X_COUNT": "3.5"]).value(count) }
        // Only secrets come from files.
        #expect(try Configuration(environment: ["X_COUNT_FILE": "/etc/passwd"]).value(count) == 3)
    }

    @Test("an HMAC key under 32 bytes is refused before jwt-kit sees it, and not repeated in the error")
    func shortKey() async throws {
        let short = "only-thirty-one-bytes-long-key!"
        #expect(short.utf8.count == 31)
        do {
            _ = try Configuration(environment: ["BALLAST_JWT_SECRET": short]).value(Options.jwtSecret)
            Issue.record("accepted")
        } catch {
            #expect(!"\(error)".contains(short))
            #expect("\(error)".contains("BALLAST_JWT_SECRET"))
        }
        await #expect(throws: ConfigurationError.self) { try await JWTVerifier(secret: Secret(short)) }
    }

    @Test("a secret is not printed, interpolated, dumped or reflected")
    func secretText() {
        let secret = Secret("hunter2-canary")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(describing: secret), String(reflecting: secret), dumped, "\([secret])"] {
            #expect(!text.contains("canary"))
        }
    }

    @Test("the help names every option with its default")
    func help() {
        let text = ConfigurationRow.help(Options.common)
        for row in Options.common { #expect(text.contains(row.variable)) }
        #expect(text.contains("BALLAST_DATABASE_URL[_FILE]"))
        #expect(text.contains("(default: 127.0.0.1)"))
        #expect(text.contains("(required)"))
    }
}
