public import Foundation

/// The root of the package, found from this file.
public enum RepositoryRoot {
    /// The folder that holds `Package.swift`.
    public static let url: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The folder of the migrations.
    public static var migrations: URL { url.appendingPathComponent("sql") }
}

/// The folder of references beside the package; many checkouts don't have it, and tests that need it skip themselves.
public enum SharedFolder {
    /// A file or folder in it, nil where it isn't there. `BALLAST_SHARED` names another place.
    public static func url(_ path: String) -> URL? {
        let named = ProcessInfo.processInfo.environment["BALLAST_SHARED"].map { URL(fileURLWithPath: $0) }
        let beside = RepositoryRoot.url.deletingLastPathComponent().appendingPathComponent("shared")
        for folder in [named, beside] {
            guard let url = folder?.appendingPathComponent(path) else { continue }
            if FileManager.default.fileExists(atPath: url.path) { return url }
        }
        return nil
    }
}
