public import Foundation

/// One private PostgreSQL server in a temporary folder, on a free port of 127.0.0.1, durable only as far as a crash of its processes goes.
///
/// A small shell owns it: it takes orders from a pipe, and when the pipe closes, however this process ended, stops the server and removes the folder.
public final class Cluster: Sendable {
    /// What can go wrong: there is no PostgreSQL on this machine, or it refused.
    public struct Failure: Error, CustomStringConvertible {
        /// What the shell or the server said.
        public let description: String
    }

    /// The port it listens on, the same after a restart.
    public let port: Int
    /// The folder of certificate and log.
    public let directory: URL

    private let queue = DispatchQueue(label: "test-postgres")
    private let orders: FileHandle
    private let answers: FileHandle
    private let process: Process

    /// Makes and starts a server.
    ///
    /// - Parameters:
    ///   - settings: lines for postgresql.conf.
    ///   - tls: with a certificate for the name `localhost` alone, which signs itself: `server.crt` in `directory`.
    public init(settings: [String] = [], tls: Bool = false) async throws {
        let port = try Self.freePort()
        let started = try await Self.blocking { () throws -> (FileHandle, FileHandle, Process, URL) in
            let (orders, answers, process) = try Self.launch(port: port, settings: settings, tls: tls)
            let answer = Self.line(answers)
            guard answer.hasPrefix("ready ") else {
                throw Failure(description: answer.isEmpty ? "the shell of the test server ended" : answer)
            }
            return (orders, answers, process, URL(fileURLWithPath: String(answer.dropFirst(6))))
        }
        self.port = port
        (orders, answers, process, directory) = started
    }

    /// A URL; trust authentication for every role but `password_user`, which needs its password.
    public func url(
        user: String = "postgres", password: String? = nil, database: String = "postgres", host: String = "127.0.0.1",
        parameters: String = ""
    ) -> String {
        let credentials = password.map { "\(user):\($0)" } ?? user
        return "postgres://\(credentials)@\(host):\(port)/\(database)" + (parameters.isEmpty ? "" : "?\(parameters)")
    }

    /// Starts it again.
    public func start() async throws { try await order("start") }
    /// Stops it as an administrator would: sessions are ended, nothing is lost.
    public func stop() async throws { try await order("stop") }
    /// Stops and starts it.
    public func restart() async throws {
        try await stop()
        try await start()
    }
    /// SIGKILL to the postmaster, as the kernel does when memory runs out.
    public func kill() async throws { try await order("kill") }

    private func order(_ name: String) async throws {
        let (orders, answers) = (orders, answers)
        let answer = try await Self.blocking(on: queue) { () throws -> String in
            try orders.write(contentsOf: Data("\(name)\n".utf8))
            return Self.line(answers)
        }
        guard answer == "ok" else { throw Failure(description: "\(name): \(answer)") }
    }

    private static func blocking<R: Sendable>(
        on queue: DispatchQueue = .global(), _ work: @escaping @Sendable () throws -> R
    ) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }

    private static func line(_ handle: FileHandle) -> String {
        var bytes: [UInt8] = []
        while let byte = try? handle.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func launch(port: Int, settings: [String], tls: Bool) throws -> (FileHandle, FileHandle, Process) {
        let (input, output) = (Pipe(), Pipe())
        // No other child of this process may hold the pipe open.
        for pipe in [input, output] {
            for handle in [pipe.fileHandleForReading, pipe.fileHandleForWriting] {
                _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
            }
        }
        let process = Process()
        let shell = [
            "/bin/sh", "-c", script, "test-postgres", try binaries(), String(port), tls ? "tls" : "",
            settings.joined(separator: "\n"),
        ]
        let command = geteuid() == 0 ? try unprivileged + shell : shell
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.currentDirectoryURL = FileManager.default.temporaryDirectory
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try? input.fileHandleForReading.close()
        try? output.fileHandleForWriting.close()
        return (input.fileHandleForWriting, output.fileHandleForReading, process)
    }

    /// The folder of `initdb` and `postgres`: PATH first, then where Debian has them.
    private static func binaries() throws -> String {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let debian = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? [])
            .sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }
        for folder in path + versions.map({ "\(debian)/\($0)/bin" }) {
            let needed = ["initdb", "postgres", "pg_ctl"]
            if needed.allSatisfy({ FileManager.default.isExecutableFile(atPath: "\(folder)/\($0)") }) { return folder }
        }
        throw Failure(description: "no PostgreSQL server here: initdb is neither in PATH nor below \(debian)")
    }

    /// PostgreSQL refuses to run as root.
    private static var unprivileged: [String] {
        get throws {
            func find(_ name: String) -> String? {
                ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map { "\($0)/\(name)" }
                    .first { FileManager.default.isExecutableFile(atPath: $0) }
            }
            if let setpriv = find("setpriv") {
                return [setpriv, "--reuid=postgres", "--regid=postgres", "--init-groups"]
            }
            if let runuser = find("runuser") { return [runuser, "-u", "postgres", "--"] }
            throw Failure(description: "run by root, and neither setpriv nor runuser is here")
        }
    }

    /// A port that nobody had a moment ago.
    private static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                bind(descriptor, raw, length) == 0 && getsockname(descriptor, raw, &length) == 0
            }
        }
        guard status else { throw Failure(description: "no free port") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    // Orders come by standard input, one a line, and are answered by one line; end of file is the last order.
    private static let script = #"""
        trap '' INT HUP TERM PIPE
        bin=$1 port=$2 tls=$3 settings=$4
        dir=$(mktemp -d "${TMPDIR:-/tmp}/ballast-postgres.XXXXXX") || { echo "mktemp failed"; exit 1; }
        data=$dir/data
        "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
            { echo "initdb: $(tail -n 1 "$dir/initdb.log")"; rm -rf "$dir"; exit 1; }
        cat >>"$data/postgresql.conf" <<END
        listen_addresses = '127.0.0.1'
        port = $port
        unix_socket_directories = ''
        fsync = off
        full_page_writes = off
        max_connections = 400
        shared_buffers = 64MB
        track_commit_timestamp = on
        deadlock_timeout = 100ms
        END
        printf '%s\n' "$settings" >>"$data/postgresql.conf"
        printf '%s\n' 'host all password_user 127.0.0.1/32 scram-sha-256' 'host all all 127.0.0.1/32 trust' >"$data/pg_hba.conf"
        if [ "$tls" = tls ]; then
            openssl req -new -x509 -days 2 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                -keyout "$dir/server.key" -out "$dir/server.crt" >/dev/null 2>&1 || { echo "openssl failed"; rm -rf "$dir"; exit 1; }
            chmod 600 "$dir/server.key"
            printf '%s\n' "ssl = on" "ssl_cert_file = '$dir/server.crt'" "ssl_key_file = '$dir/server.key'" >>"$data/postgresql.conf"
        fi
        start() {
            for try in 1 2 3 4 5 6 7 8; do
                "$bin/pg_ctl" -D "$data" -l "$dir/postgres.log" -w -t 30 start >/dev/null 2>&1 && return 0
                sleep 0.3
            done
            return 1
        }
        start || { echo "the server did not start: $(tail -n 1 "$dir/postgres.log")"; rm -rf "$dir"; exit 1; }
        echo "ready $dir"
        while read -r order; do
            case $order in
                start) start && echo ok || echo "$(tail -n 1 "$dir/postgres.log")" ;;
                stop) "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null 2>&1 && echo ok || echo "did not stop" ;;
                kill) kill -9 "$(head -n 1 "$data/postmaster.pid")" && echo ok || echo "no postmaster" ;;
            esac
        done
        "$bin/pg_ctl" -D "$data" -m immediate -w -t 5 stop >/dev/null 2>&1
        [ -f "$data/postmaster.pid" ] && kill -9 "$(head -n 1 "$data/postmaster.pid")" 2>/dev/null
        rm -rf "$dir"
        """#
}
