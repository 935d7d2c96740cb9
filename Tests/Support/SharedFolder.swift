public import Foundation

/// The folder `shared` beside the package: reference answers and recorded data that the project does not carry.
///
/// Tests that need it are `.enabled(if: SharedFolder.isPresent)`.
public enum SharedFolder {
    /// The folder, or nil where there is none. `BALLAST_SHARED_DIRECTORY` names another place.
    public static let root: URL? = {
        let files = FileManager.default
        var candidates: [URL] = []
        if let given = ProcessInfo.processInfo.environment["BALLAST_SHARED_DIRECTORY"] {
            candidates.append(URL(fileURLWithPath: given))
        }
        // Tests/Support/SharedFolder.swift -> the package -> beside it, and one further up for a worktree.
        let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        var folder = package.deletingLastPathComponent()
        for _ in 0..<3 {
            candidates.append(folder.appendingPathComponent("shared"))
            folder = folder.deletingLastPathComponent()
        }
        return candidates.first { files.fileExists(atPath: $0.appendingPathComponent("oracle").path) }
    }()

    /// Whether the folder is there.
    public static var isPresent: Bool { root != nil }

    /// A file of the folder, or nil where it is absent.
    public static func url(_ path: String) -> URL? {
        guard let url = root?.appendingPathComponent(path) else { return nil }
        return FileManager.default.fileExists(atPath: url.path) ? url : nil
    }
}

/// The root of the package, found from this file.
public enum RepositoryRoot {
    /// The folder that holds `Package.swift`.
    public static let url: URL = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The folder of the migrations.
    public static var migrations: URL { url.appendingPathComponent("sql") }
}
