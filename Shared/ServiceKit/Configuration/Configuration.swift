import Configuration

#if canImport(FoundationEssentials)
public import FoundationEssentials
#else
public import Foundation
#endif

/// What this process was told by its environment, read once at start.
///
/// ```swift
/// let configuration = Configuration()
/// let port = try configuration.value(Options.optimizerPort)
/// ```
public struct Configuration: Sendable {
    private let reader: ConfigReader

    /// Reads from the given variables; by default those of the process.
    public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: environment))
    }

    /// The value of an option: its variable, else the file that `VARIABLE_FILE` names (secrets only), else its default.
    /// An empty variable counts as not set.
    public func value<Value>(_ option: ConfigurationOption<Value>) throws(ConfigurationError) -> Value {
        let text: String
        if let given = try given(option) {
            text = given
        } else if let standard = option.defaultText {
            text = standard
        } else {
            throw .missing(
                variable: option.isSecret ? "\(option.variable) (or \(option.variable)_FILE)" : option.variable)
        }
        do {
            return try option.parse(text)
        } catch {
            throw .invalid(variable: option.variable, reason: error.text + ".")
        }
    }

    /// Whether the environment says anything about the option.
    public func isSet<Value>(_ option: ConfigurationOption<Value>) -> Bool {
        variable(option.variable) != nil || (option.isSecret && variable(option.variable + "_FILE") != nil)
    }

    private func given<Value>(_ option: ConfigurationOption<Value>) throws(ConfigurationError) -> String? {
        let direct = variable(option.variable, isSecret: option.isSecret)
        guard option.isSecret, let path = variable(option.variable + "_FILE") else { return direct }
        if direct != nil { throw .setTwice(variable: option.variable, other: option.variable + "_FILE") }
        guard let data = FileManager.default.contents(atPath: path), let text = String(validating: data, as: UTF8.self)
        else { throw .unreadable(variable: option.variable + "_FILE", path: path) }
        return String(text.trimmingSuffix { $0.isNewline })
    }

    /// Keys are given in parts so that they encode to the variable's own name.
    private func variable(_ name: String, isSecret: Bool = false) -> String? {
        let key = ConfigKey(
            name.lowercased().split(separator: "_", omittingEmptySubsequences: false).map { String($0) })
        guard let text = reader.string(forKey: key, isSecret: isSecret), !text.isEmpty else { return nil }
        return text
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var rest = self[...]
        while let last = rest.last, predicate(last) { rest = rest.dropLast() }
        return rest
    }
}
