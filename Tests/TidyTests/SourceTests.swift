import Testing

/// Rules of the house that neither the compiler nor the formatter checks.
@Suite("Sources")
struct SourceTests {
    @Test("no file is a placeholder")
    func holdsSomething() throws {
        for path in Repository.swiftSources(tests: true) {
            #expect(!path.hasSuffix("/Placeholder.swift"), "\(path)")
            let code = try Repository.lines(path).filter { line in
                let trimmed = line.drop { $0 == " " }
                return !trimmed.isEmpty && !trimmed.hasPrefix("//") && !trimmed.hasPrefix("import ")
            }
            #expect(code.count >= 2, "\(path) holds \(code.count) lines of code")
        }
    }

    @Test("nothing crashes on purpose where input can reach it, and nothing is left for later")
    func hasNoForbiddenWord() throws {
        // Written in halves, so that this file passes its own test.
        let forbidden = ["try" + "!", "as" + "! ", "TO" + "DO", "FIX" + "ME"]
        for path in Repository.swiftSources(tests: true) {
            let text = try Repository.text(path)
            for word in forbidden where text.contains(word) { Issue.record("\(path) holds \(word)") }
        }
    }

    @Test("libraries do not print: they return, throw or log")
    func librariesDoNotPrint() throws {
        for path in Repository.paths(under: "Shared", suffix: ".swift") {
            for line in try Repository.lines(path) {
                #expect(!line.drop { $0 == " " }.hasPrefix("print("), "\(path): \(line)")
            }
        }
    }

    @Test("a file is at most 600 lines, or 700 with its reason at the top")
    func isReadable() throws {
        for path in Repository.swiftSources(tests: true) + Repository.paths(under: "sql", suffix: ".sql") {
            let lines = try Repository.lines(path)
            let hasReason = lines.prefix(20).contains { $0.contains("Length:") }
            #expect(lines.count <= (hasReason ? 701 : 601), "\(path) has \(lines.count - 1) lines")
        }
    }

    @Test("text ends with a line end, and has no tab or trailing blank")
    func isCleanText() throws {
        for path in Repository.swiftSources(tests: true) + Repository.paths(under: "sql", suffix: ".sql") {
            let text = try Repository.text(path)
            #expect(text.hasSuffix("\n") && !text.hasSuffix("\n\n"), "\(path): end of file")
            #expect(!text.contains("\t"), "\(path) holds a tab")
            #expect(!text.contains(" \n"), "\(path) holds a blank at a line's end")
        }
    }

    @Test("each library and service has tests")
    func isTested() {
        let untested: Set<String> = ["COpenBLAS", "CLibPQ", "CMalloc", "CLibCurl", "CLibCurlSystem", "CommandLine"]
        for target in ImportTests.allowed.keys.sorted() where !untested.contains(target) {
            let tests = Repository.paths(under: "Tests/\(target)Tests", suffix: ".swift")
            #expect(!tests.isEmpty, "no tests for \(target)")
        }
    }
}
