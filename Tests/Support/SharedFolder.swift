public import Foundation

/// The root of the package, found from this file.
public enum RepositoryRoot {
    /// The folder that holds `Package.swift`.
    public static let url: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The folder of the migrations.
    public static var migrations: URL { url.appendingPathComponent("sql") }
}

/// The folder of references beside the package (`../shared`); many checkouts don't have it, and tests that need it skip themselves.
public enum SharedFolder {
    /// The folder, or nil where there is none. `BALLAST_SHARED` names another place; a worktree may lie up to two levels deeper.
    public static let root: URL? = {
        var candidates = ProcessInfo.processInfo.environment["BALLAST_SHARED"].map { [URL(fileURLWithPath: $0)] } ?? []
        var folder = RepositoryRoot.url.deletingLastPathComponent()
        for _ in 0..<3 {
            candidates.append(folder.appendingPathComponent("shared"))
            folder = folder.deletingLastPathComponent()
        }
        return candidates.first { FileManager.default.fileExists(atPath: $0.appendingPathComponent("oracle").path) }
    }()

    /// Whether the folder is there.
    public static var isPresent: Bool { root != nil }

    /// A file or folder in it, nil where it isn't there.
    public static func url(_ path: String) -> URL? {
        guard let url = root?.appendingPathComponent(path) else { return nil }
        return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }
}
