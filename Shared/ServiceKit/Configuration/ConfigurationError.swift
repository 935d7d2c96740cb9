/// Why the configuration cannot be used. The description names the variable, never a secret's value.
public enum ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    case missing(variable: String)
    case invalid(variable: String, reason: String)
    case setTwice(variable: String, other: String)
    case unreadable(variable: String, path: String)

    public var description: String {
        switch self {
        case .missing(let variable): "\(variable) is not set."
        case .invalid(let variable, let reason): "\(variable) is not valid: \(reason)"
        case .setTwice(let variable, let other): "\(variable) and \(other) are both set; keep one of them."
        case .unreadable(let variable, let path): "\(variable) names the file \(path), which cannot be read."
        }
    }
}
