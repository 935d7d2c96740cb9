import Foundation
import Testing

/// What makes a clone usable anywhere: documents in step with the source, no trace of the machine it was written on.
@Suite("Project")
struct ProjectTests {
    /// Files that people write: everything but data and licence texts.
    private static var written: [String] {
        Repository.paths().filter { path in
            let isData = path.hasPrefix("Samples/") && path.hasSuffix(".csv")
            return !isData && !["LICENSE", "Samples/LICENCES.md"].contains(path)
        }
    }
    private static let binary: Set<String> = ["png", "gz", "gif"]

    private static func isText(_ path: String) -> Bool {
        !binary.contains(URL(filePath: path).pathExtension) && !path.contains("Fixtures/")
    }

    @Test("the top level is complete")
    func hasItsTopLevel() {
        for name in [
            "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "Makefile", "Package.swift",
            "docker-compose.yml",
            ".ci/run", "deploy/Dockerfile", ".dockerignore", "Samples/README.md", "Benchmarks/RESULTS.md",
        ] {
            #expect(
                FileManager.default.fileExists(atPath: Repository.root.appending(path: name).path), "\(name) is missing"
            )
        }
    }

    @Test("the changelog opens with what is not released yet")
    func hasAChangelog() throws {
        let headings = try Repository.lines("CHANGELOG.md").filter { $0.hasPrefix("## ") }
        #expect(headings.first == "## Unreleased")
    }

    @Test("migrations are numbered without a gap, and each says what it is for")
    func migrationsAreContiguous() throws {
        let files = Repository.paths(under: "sql", suffix: ".sql").map { $0.dropFirst("sql/".count) }
        #expect(!files.isEmpty)
        for (index, file) in files.enumerated() {
            #expect(file.prefix(4) == String(format: "%04d", index + 1), "\(file) at place \(index + 1)")
            #expect(file.dropFirst(4).hasPrefix("_") && !file.contains("/"), "\(file)")
            #expect(try Repository.text("sql/\(file)").hasPrefix("-- "), "\(file) has no opening comment")
        }
    }

    @Test("no path of somebody's machine and no registry's address")
    func isPortable() throws {
        // Written in halves, so that this file passes its own test.
        let forbidden = [
            "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "\"/b" + "w", "py" + "pi.org", "deb.deb" + "ian.org",
            "file" + "s.pythonhosted",
        ]
        for path in Self.written where Self.isText(path) {
            let text = try Repository.text(path)
            for word in forbidden where text.contains(word) { Issue.record("\(path) holds \(word)") }
        }
    }

    @Test("no file is larger than 1 MB")
    func isSmall() throws {
        for path in Repository.paths() { #expect(try Repository.data(path).count <= 1_000_000, "\(path)") }
    }

    @Test("scripts can be run")
    func scriptsAreExecutable() throws {
        for path in Self.written where Self.isText(path) && !path.hasSuffix(".swift") {
            guard try Repository.text(path).hasPrefix("#!") else { continue }
            #expect(FileManager.default.isExecutableFile(atPath: Repository.root.appending(path: path).path), "\(path)")
        }
    }

    @Test("links of the documents lead somewhere")
    func linksResolve() throws {
        for path in Repository.paths(suffix: ".md") where path != "Samples/LICENCES.md" {
            let folder = Repository.root.appending(path: path).deletingLastPathComponent()
            for piece in try Repository.text(path).components(separatedBy: "](").dropFirst() {
                let target = piece.prefix { $0 != ")" && $0 != "#" && $0 != " " }
                guard !target.isEmpty, !target.contains("://"), !target.hasPrefix("mailto:") else { continue }
                let file = folder.appending(path: String(target)).path
                #expect(FileManager.default.fileExists(atPath: file), "\(path) links to \(target)")
            }
        }
    }
}
