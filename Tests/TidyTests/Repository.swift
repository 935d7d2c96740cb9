import Foundation

/// The files of this project as they lie beside the tests, without what git ignores.
enum Repository {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Folders that hold products, not sources.
    private static func isIgnored(_ name: String) -> Bool {
        [".git", ".swiftpm", ".local", ".hypothesis", ".schemathesis", "__pycache__"].contains(name)
            || name.hasPrefix(".build")
            || name.hasPrefix(".venv")
            || name.hasSuffix(".xctest")
    }

    /// Paths of all files below `folder` ("" is the whole project), relative to the root, sorted.
    static func paths(under folder: String = "", suffix: String = "") -> [String] {
        var found: [String] = []
        func visit(_ path: String) {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: path).path)) ?? []
            for name in names where !isIgnored(name) {
                let child = path.isEmpty ? name : "\(path)/\(name)"
                var isFolder: ObjCBool = false
                guard FileManager.default.fileExists(atPath: root.appending(path: child).path, isDirectory: &isFolder)
                else {
                    continue
                }
                if isFolder.boolValue {
                    visit(child)
                } else if child.hasSuffix(suffix), name != "Package.resolved" {
                    found.append(child)
                }
            }
        }
        visit(folder)
        return found.sorted()
    }

    static func data(_ path: String) throws -> Data {
        try Data(contentsOf: root.appending(path: path))
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try data(path), as: UTF8.self)
    }

    static func lines(_ path: String) throws -> [Substring] {
        try text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// All Swift sources of libraries and services; with `tests`, those of the tests too.
    static func swiftSources(tests: Bool = false) -> [String] {
        (["Shared", "Services"] + (tests ? ["Tests"] : [])).flatMap { paths(under: $0, suffix: ".swift") }
    }

    /// Maximal runs of letters, digits, `_` and `-` in a text.
    static func words(of text: String) -> Set<Substring> {
        Set(text.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") })
    }
}
