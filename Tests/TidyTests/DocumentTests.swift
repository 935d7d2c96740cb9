import Testing

/// Tables that operators read, compared with the source they describe.
@Suite("Documents")
struct DocumentTests {
    /// Every word of the sources of libraries and services that begins with one of the prefixes.
    private static func sourceWords(_ holds: (Substring) -> Bool) throws -> Set<String> {
        var found: Set<String> = []
        for path in Repository.swiftSources() {
            for word in Repository.words(of: try Repository.text(path)) where holds(word) { found.insert(String(word)) }
        }
        return found
    }

    private static func isVariable(_ word: Substring) -> Bool {
        word.hasPrefix("BALLAST_") && !word.hasSuffix("_") && !word.contains("-")
    }

    private static func isErrorCode(_ word: Substring) -> Bool {
        let parts = word.split(separator: "-")
        return parts.count == 2 && ["REQ", "DAT", "OPT", "STA", "AUT", "LIM", "SYS"].contains(parts[0])
            && parts[1].count == 3
            && parts[1].allSatisfy(\.isNumber)
    }

    @Test("docs/configuration.md lists every environment variable of the source, and no other")
    func variablesAreDocumented() throws {
        let words = try Self.sourceWords(Self.isVariable)
        // NAME_FILE of a secret NAME is described once for all of them.
        let inSource = words.filter { !($0.hasSuffix("_FILE") && words.contains(String($0.dropLast("_FILE".count)))) }
        let inTable = Set(
            try Repository.lines("docs/configuration.md").filter { $0.hasPrefix("| `BALLAST_") }
                .compactMap { $0.split(separator: "`").dropFirst().first.map(String.init) })
        #expect(inSource.subtracting(inTable).sorted() == [], "not in docs/configuration.md")
        #expect(inTable.subtracting(inSource).sorted() == [], "in docs/configuration.md only")
    }

    @Test("docs/errors.md lists every error code of the source, and no other")
    func codesAreDocumented() throws {
        let inSource = try Self.sourceWords(Self.isErrorCode)
        let inTable = Set(
            try Repository.lines("docs/errors.md").filter { $0.hasPrefix("| `") }
                .compactMap { $0.split(separator: "`").dropFirst().first }.filter(Self.isErrorCode).map(String.init))
        #expect(!inSource.isEmpty)
        #expect(inSource.subtracting(inTable).sorted() == [], "not in docs/errors.md")
        #expect(inTable.subtracting(inSource).sorted() == [], "in docs/errors.md only")
    }
}
