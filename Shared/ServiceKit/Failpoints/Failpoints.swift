import Synchronization

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What a failpoint throws into the code around it.
public struct FailpointError: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Kind: String, Sendable {
        case thrown = "throw", dropConnection = "drop-connection", loseReply = "lose-reply"
    }
    public let name: String
    public let kind: Kind
    public init(name: String, kind: Kind) {
        self.name = name
        self.kind = kind
    }

    public var description: String { "Failpoint \(name): \(kind.rawValue)" }
}

/// Passes, unless the environment says that something has to break here.
///
/// `FAILPOINTS="order.after_submit=crash@3;claim.before_commit=sleep(20000)|p0.1"` with `FAILPOINTS_ENABLED=1`. Actions: `crash`
/// (exit code 137 without any cleaning up), `kill` (SIGKILL to itself), `trap`, `stop` (SIGSTOP), `sleep(milliseconds)`, `throw`, `drop-connection`,
/// `lose-reply`. `@n`: only the n-th time; `|p0.1`: with that probability, from the seed `FAILPOINTS_SEED`.
/// Off, it costs one relaxed atomic load.
@inline(__always)
public func failpoint(_ name: StaticString) async throws {
    if Failpoints.armed.load(ordering: .relaxed) { try await Failpoints.process.hit(name.description) }
}

/// The failpoints of one process.
public final class Failpoints: Sendable {
    /// One instruction of the variable FAILPOINTS.
    public struct Rule: Sendable, Equatable {
        public enum Action: Sendable, Equatable {
            case crash, kill, trap, stop
            case sleep(milliseconds: Int)
            case fail(FailpointError.Kind)
        }
        public var name: String
        public var action: Action
        /// Only this hit, counted from 1; nil for each.
        public var occurrence: Int?
        public var probability: Double

        /// Reads `name=action@n|p0.5`; nil where it is not of that form.
        public init?(_ text: some StringProtocol) {
            guard let equals = text.firstIndex(of: "=") else { return nil }
            name = String(text[..<equals])
            var rest = text[text.index(after: equals)...]
            probability = 1
            if let bar = rest.firstIndex(of: "|") {
                guard rest[rest.index(after: bar)...].first == "p",
                    let value = Double(rest[rest.index(bar, offsetBy: 2)...]), (0...1).contains(value)
                else { return nil }
                probability = value
                rest = rest[..<bar]
            }
            if let at = rest.firstIndex(of: "@") {
                guard let value = Int(rest[rest.index(after: at)...]), value > 0 else { return nil }
                occurrence = value
                rest = rest[..<at]
            }
            switch rest {
            case "crash": action = .crash
            case "kill": action = .kill
            case "trap": action = .trap
            case "stop": action = .stop
            case _ where rest.hasPrefix("sleep(") && rest.hasSuffix(")"):
                guard let milliseconds = Int(rest.dropFirst(6).dropLast()), milliseconds >= 0 else { return nil }
                action = .sleep(milliseconds: milliseconds)
            default:
                guard let kind = FailpointError.Kind(rawValue: String(rest)) else { return nil }
                action = .fail(kind)
            }
            if name.isEmpty { return nil }
        }
    }

    private struct State {
        var hits: [String: Int] = [:]
        var random: UInt64
    }

    static let armed = Atomic<Bool>(!process.rules.isEmpty)
    /// Those of the environment variable FAILPOINTS; none unless FAILPOINTS_ENABLED is 1.
    public static let process: Failpoints = {
        let environment = ProcessInfo.processInfo.environment
        let text = environment["FAILPOINTS_ENABLED"] == "1" ? environment["FAILPOINTS"] ?? "" : ""
        return Failpoints(text, seed: environment["FAILPOINTS_SEED"].flatMap { UInt64($0) } ?? 1)
    }()

    public let rules: [Rule]
    private let state: Mutex<State>

    /// Rules separated by semicolons; those that cannot be read are left out.
    public init(_ text: String, seed: UInt64 = 1) {
        rules = text.split(separator: ";").compactMap { Rule($0) }
        state = Mutex(State(random: seed))
    }

    /// How often each name was passed.
    public var hits: [String: Int] { state.withLock { $0.hits } }

    /// Passes the point `name` once.
    public func hit(_ name: String) async throws {
        let action = state.withLock { state -> Rule.Action? in
            let count = state.hits[name, default: 0] + 1
            state.hits[name] = count
            for rule in rules where rule.name == name {
                if let occurrence = rule.occurrence, occurrence != count { continue }
                if rule.probability < 1, Self.uniform(&state.random) >= rule.probability { continue }
                return rule.action
            }
            return nil
        }
        switch action {
        case nil: return
        case .crash?: _exit(137)
        case .kill?: raise(SIGKILL)
        case .trap?: fatalError("Failpoint \(name)")
        case .stop?: raise(SIGSTOP)
        case .sleep(let milliseconds)?: try await Task.sleep(for: .milliseconds(milliseconds))
        case .fail(let kind)?: throw FailpointError(name: name, kind: kind)
        }
    }

    /// SplitMix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
    private static func uniform(_ state: inout UInt64) -> Double {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
}
