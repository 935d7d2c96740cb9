import Foundation

/// Host names to addresses, away from the cooperative threads: `getaddrinfo` can only block.
enum NameResolution {
    /// Every address of every host, in order, with its port.
    ///
    /// Returns nil where nothing needs resolving (addresses, Unix sockets).
    /// - Throws: `.connection` when no host has an address, `.connectTimeout` when the name server does not answer in time.
    static func resolve(
        _ configuration: PostgresConfiguration, until deadline: ContinuousClock.Instant
    ) async throws(PostgresError) -> [(host: String, address: String, port: String)]? {
        let hosts = configuration.hosts
        if hosts.allSatisfy({ $0.isEmpty || $0.hasPrefix("/") || isNumeric($0) }) { return nil }
        let given = configuration.port.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let ports = given.count == hosts.count ? given : hosts.map { _ in given.first ?? "5432" }
        let answer = OneShot<[(host: String, address: String, port: String)]?>()
        BlockingLane.resolution.start {
            answer.set(zip(hosts, ports).flatMap { host, port in addresses(of: host).map { (host, $0, port) } })
        }
        let timer = SocketReactor.shared.schedule(at: deadline) { answer.set(nil) }
        let resolved = await answer.value()
        SocketReactor.shared.unschedule(timer)
        guard let resolved else { throw PostgresError(.connectTimeout, "name resolution timed out") }
        guard !resolved.isEmpty else { throw PostgresError(.connection, "no address for host \(configuration.host)") }
        return resolved
    }

    private static func isNumeric(_ host: String) -> Bool {
        var v4 = in_addr()
        var v6 = in6_addr()
        return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1
    }

    /// Blocks.
    private static func addresses(of host: String) -> [String] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var result: [String] = []
        var entry = list
        while let info = entry?.pointee {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(info.ai_addr, info.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
                result.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            entry = info.ai_next
        }
        return result
    }
}
