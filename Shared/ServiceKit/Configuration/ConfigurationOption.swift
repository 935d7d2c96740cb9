/// One thing that can be configured: the environment variable, its default, and what it means.
public struct ConfigurationOption<Value: Sendable>: Sendable {
    /// The environment variable.
    public let variable: String
    /// What is used where the variable is not set, as it would be written there; nil where it has to be set.
    public let defaultText: String?
    /// One line for `--help`.
    public let help: String
    /// Whether `VARIABLE_FILE` may name a file that holds the value, and the value is never shown.
    public let isSecret: Bool
    /// Turns the text into the value; throws a reason.
    let parse: @Sendable (String) throws(Reason) -> Value

    /// A sentence that says what is wrong with a text, without repeating it.
    public struct Reason: Error, Sendable {
        public let text: String
        public init(_ text: String) { self.text = text }
    }

    public init(
        _ variable: String, default defaultText: String? = nil, help: String, isSecret: Bool = false,
        parse: @escaping @Sendable (String) throws(Reason) -> Value
    ) {
        self.variable = variable
        self.defaultText = defaultText
        self.help = help
        self.isSecret = isSecret
        self.parse = parse
    }

    /// The same option without its type, for tables.
    public var row: ConfigurationRow {
        ConfigurationRow(variable: variable, defaultText: defaultText, help: help, isSecret: isSecret)
    }
}

/// A line of the table of options.
public struct ConfigurationRow: Sendable, Equatable {
    public let variable: String
    public let defaultText: String?
    public let help: String
    public let isSecret: Bool

    /// The table as text for `--help`: each variable, and below it its meaning and default in lines of 76 characters.
    public static func help(_ rows: [ConfigurationRow]) -> String {
        var text = "ENVIRONMENT:\n"
        for row in rows {
            text += "  \(row.isSecret ? "\(row.variable)[_FILE]" : row.variable)\n"
            let standard =
                switch row.defaultText {
                case nil: " (required)"
                case ""?: ""
                case let value?: " (default: \(value))"
                }
            var line = "     "
            for word in (row.help + standard).split(separator: " ") {
                if line.count + word.count + 1 > 76 {
                    text += line + "\n"
                    line = "     "
                }
                line += " " + word
            }
            text += line + "\n"
        }
        return text
    }
}

// MARK: Kinds of values

extension ConfigurationOption where Value == String {
    public static func text(
        _ variable: String, default defaultText: String? = nil, help: String
    ) -> ConfigurationOption<String> {
        ConfigurationOption(variable, default: defaultText, help: help) { (text) throws(Reason) in text }
    }
}

extension ConfigurationOption where Value == String? {
    /// A text that may be left out: nil where it is not set or empty.
    public static func optionalText(_ variable: String, help: String) -> ConfigurationOption<String?> {
        ConfigurationOption(variable, default: "", help: help) { (text) throws(Reason) in text.isEmpty ? nil : text }
    }
}

extension ConfigurationOption where Value == Int {
    public static func integer(
        _ variable: String, default defaultText: String? = nil, in range: ClosedRange<Int>, help: String
    ) -> ConfigurationOption<Int> {
        ConfigurationOption(variable, default: defaultText, help: help) { (text) throws(Reason) in
            guard let value = Int(text), range.contains(value) else {
                throw Reason("a whole number from \(range.lowerBound) to \(range.upperBound) is wanted")
            }
            return value
        }
    }

    /// A TCP port; 0 lets the system choose.
    public static func port(_ variable: String, default port: Int, help: String) -> ConfigurationOption<Int> {
        integer(variable, default: String(port), in: 0...65535, help: help)
    }
}

extension ConfigurationOption where Value == Bool {
    public static func flag(_ variable: String, default value: Bool, help: String) -> ConfigurationOption<Bool> {
        ConfigurationOption(variable, default: value ? "true" : "false", help: help) { (text) throws(Reason) in
            switch text.lowercased() {
            case "true", "1", "yes", "on": true
            case "false", "0", "no", "off": false
            default: throw Reason("true or false is wanted")
            }
        }
    }
}

extension ConfigurationOption where Value == Secret<String> {
    /// A secret text of at least `minimumBytes` bytes.
    public static func secret(
        _ variable: String, default defaultText: String? = nil, minimumBytes: Int = 1, help: String
    ) -> ConfigurationOption<Secret<String>> {
        ConfigurationOption(variable, default: defaultText, help: help, isSecret: true) { (text) throws(Reason) in
            guard text.utf8.count >= minimumBytes else {
                throw Reason("at least \(minimumBytes) bytes are wanted, \(text.utf8.count) are given")
            }
            return Secret(text)
        }
    }
}

extension ConfigurationOption where Value == Secret<String>? {
    /// A secret text that may be left out.
    public static func optionalSecret(
        _ variable: String, minimumBytes: Int = 1, help: String
    ) -> ConfigurationOption<Secret<String>?> {
        ConfigurationOption(variable, default: "", help: help, isSecret: true) { (text) throws(Reason) in
            guard !text.isEmpty else { return nil }
            guard text.utf8.count >= minimumBytes else {
                throw Reason("at least \(minimumBytes) bytes are wanted, \(text.utf8.count) are given")
            }
            return Secret(text)
        }
    }
}
