import CLibPQ
import Foundation

/// Where PostgreSQL is and how to talk to it. Holds the password: it prints as host, port, database and user only.
public struct PostgresConfiguration: Sendable {
    /// How the connection is encrypted; `sslmode` of the URL. There is no mode that falls back silently.
    public enum TLSMode: String, Sendable {
        /// Plain text. The default for loopback addresses and Unix sockets, never for others.
        case disable
        /// Encrypted, the server's identity unchecked.
        case require
        /// The certificate must come from a known authority.
        case verifyCA = "verify-ca"
        /// The certificate must also bear the host's name. The default.
        case verifyFull = "verify-full"
    }

    /// Shown in `pg_stat_activity`.
    public var applicationName = "ballast"
    /// From the first packet to a session that can be used, name resolution included.
    public var connectTimeout: Duration = .seconds(3)
    /// How long a cancelled statement may take to end before its connection is dropped.
    public var cancelTimeout: Duration = .seconds(5)
    /// The server ends a session that is idle in a transaction for longer; nil leaves the server's setting.
    public var idleInTransactionTimeout: Duration? = .seconds(30)
    /// Prepared statements that a connection keeps.
    public var statementCacheCapacity = 256

    /// Encryption, from the URL's `sslmode`.
    public let tls: TLSMode
    /// Host name, address or directory of the Unix socket; several, comma separated, are tried in order.
    public let host: String
    /// Port, 5432 by default; one, or one for each host.
    public let port: String
    /// Database name.
    public let database: String
    /// Login role.
    public let user: String

    /// Every other parameter of the URL, as libpq names it.
    private let options: [(name: String, value: String)]
    /// Where the URL came from, when it may change there: a password that is rotated.
    private let file: String?

    /// Reads `postgres://user:password@host:port/database?sslmode=...`.
    ///
    /// - Throws: `.configuration` for text that isn't such a URL, or an `sslmode` (`allow`, `prefer`) that may end in plain text unnoticed.
    public init(url: String) throws(PostgresError) {
        try self.init(url: url, file: nil)
    }

    /// Reads `BALLAST_DATABASE_URL`, or the file that `BALLAST_DATABASE_URL_FILE` names, which is read again after a refused password.
    ///
    /// - Throws: `.configuration` when neither is set, the file can't be read or the URL is wrong.
    public init(environment: [String: String]) throws(PostgresError) {
        if let url = environment["BALLAST_DATABASE_URL"], !url.isEmpty {
            try self.init(url: url, file: nil)
        } else if let path = environment["BALLAST_DATABASE_URL_FILE"], !path.isEmpty {
            try self.init(url: try Self.read(path), file: path)
        } else {
            throw PostgresError(.configuration, "BALLAST_DATABASE_URL is not set")
        }
    }

    private init(url: String, file: String?) throws(PostgresError) {
        let parsed = try Self.parse(url)
        func value(_ name: String) -> String? { parsed.first { $0.name == name }?.value }
        let host = value("host") ?? value("hostaddr") ?? "localhost"
        self.host = host
        port = value("port") ?? "5432"
        user = value("user") ?? "postgres"
        database = value("dbname") ?? value("user") ?? "postgres"
        let isLocal = host.split(separator: ",").allSatisfy {
            ["localhost", "127.0.0.1", "::1"].contains($0) || $0.hasPrefix("/")
        }
        if let mode = value("sslmode") {
            guard let tls = TLSMode(rawValue: mode) else {
                throw PostgresError(
                    .configuration, "sslmode \(mode) is not one of disable, require, verify-ca, verify-full")
            }
            self.tls = tls
        } else {
            tls = isLocal ? .disable : .verifyFull
        }
        options = parsed.filter { !["host", "port", "user", "dbname", "sslmode"].contains($0.name) }
        self.file = file
    }

    /// The same settings with the URL read again from its file; nil where it did not come from one.
    func reread() throws(PostgresError) -> PostgresConfiguration? {
        guard let file else { return nil }
        var fresh = try PostgresConfiguration(url: try Self.read(file), file: file)
        fresh.applicationName = applicationName
        fresh.connectTimeout = connectTimeout
        fresh.cancelTimeout = cancelTimeout
        fresh.idleInTransactionTimeout = idleInTransactionTimeout
        fresh.statementCacheCapacity = statementCacheCapacity
        return fresh
    }

    private static func read(_ path: String) throws(PostgresError) -> String {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw PostgresError(.configuration, "cannot read the file of BALLAST_DATABASE_URL_FILE")
        }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func parse(_ url: String) throws(PostgresError) -> [(name: String, value: String)] {
        guard url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") else {
            throw PostgresError(.configuration, "a database URL begins with postgres://")
        }
        var message: UnsafeMutablePointer<CChar>?
        guard let parsed = PQconninfoParse(url, &message) else {
            // libpq's text repeats parts of the URL, the password perhaps among them.
            PQfreemem(message)
            throw PostgresError(.configuration, "the database URL is malformed")
        }
        defer { PQconninfoFree(parsed) }
        var result: [(name: String, value: String)] = []
        var option = parsed
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                result.append((String(cString: keyword), String(cString: value)))
            }
            option += 1
        }
        return result
    }
}

extension PostgresConfiguration {
    /// The host names, empty ones included.
    var hosts: [String] { host.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }

    /// What libpq is given. `addresses` are the resolved hosts, so that libpq itself never waits for a name server.
    func parameters(addresses: [(host: String, address: String, port: String)]?) -> [(String, String)] {
        var result: [String: String] = [
            "host": host, "port": port, "user": user, "dbname": database, "sslmode": tls.rawValue,
            "application_name": applicationName, "client_encoding": "UTF8", "keepalives": "1", "keepalives_idle": "10",
            "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000", "gssencmode": "disable",
            "target_session_attrs": "primary",
        ]
        if tls == .verifyCA || tls == .verifyFull, let system = Self.systemAuthorities {
            result["sslrootcert"] = system
        }
        for option in options where option.name != "options" { result[option.name] = option.value }
        var session = options.filter { $0.name == "options" }.map(\.value)
        session.append("-c TimeZone=UTC")
        // Our queries run for milliseconds; compiling one takes more than ten.
        session.insert("-c jit=off", at: 0)
        if let idleInTransactionTimeout {
            session.append("-c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.milliseconds)")
        }
        result["options"] = session.joined(separator: " ")
        if let addresses, !addresses.isEmpty {
            result["host"] = addresses.map(\.host).joined(separator: ",")
            result["hostaddr"] = addresses.map(\.address).joined(separator: ",")
            result["port"] = addresses.map(\.port).joined(separator: ",")
        }
        return result.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// The system's certificate authorities, used unless the URL names `sslrootcert`.
    private static let systemAuthorities: String? = [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
    ].first { FileManager.default.fileExists(atPath: $0) }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the password.
    public var description: String { "\(user)@\(host):\(port)/\(database) sslmode=\(tls.rawValue)" }
    /// Without the password.
    public var debugDescription: String { description }
}

extension PostgresConfiguration: CustomReflectable {
    /// Without the password.
    public var customMirror: Mirror { Mirror(self, children: ["description": description]) }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
