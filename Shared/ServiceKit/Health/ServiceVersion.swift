/// What is running, for `/version`, metrics and the CLI.
public struct ServiceVersion: Sendable, Equatable {
    public var version: String
    /// The commit that was built; `unknown` outside images.
    public var commit: String

    public init(version: String = ServiceVersion.release, commit: String = "unknown") {
        self.version = version
        self.commit = commit
    }

    /// The release that this source tree is.
    public static let release = "0.1.0"
}
