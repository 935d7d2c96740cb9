import Testing

/// The import table of the design. SwiftPM does not enforce it: an undeclared import compiles whenever another
/// dependency brings the module along.
@Suite("Imports")
struct ImportTests {
    /// Target: the targets of this package that it may import.
    static let allowed: [String: Set<String>] = [
        "COpenBLAS": [], "CLibPQ": [], "CMalloc": [], "CLibCurlSystem": [], "CLibCurl": ["CLibCurlSystem"],
        "WireFormat": [],
        "LinearAlgebra": ["COpenBLAS"],
        "ConvexSolver": ["LinearAlgebra"],
        "PortfolioModels": ["ConvexSolver", "LinearAlgebra", "WireFormat"],
        "Reallocation": ["ConvexSolver", "LinearAlgebra", "WireFormat"],
        "MarketData": ["WireFormat"],
        "Realtime": ["WireFormat"],
        "HTTPFetch": ["CLibCurl", "CLibCurlSystem"],
        "PostgresClient": ["CLibPQ"],
        "WebSocketTransport": [],
        "ServiceKit": ["CMalloc", "WireFormat", "PostgresClient"],
        "ETL": ["MarketData", "HTTPFetch", "PostgresClient", "WireFormat", "ServiceKit"],
        "StoreNotifier": ["Realtime", "WebSocketTransport", "PostgresClient", "WireFormat", "ServiceKit"],
        "Optimizer": [
            "PortfolioModels", "ConvexSolver", "LinearAlgebra", "Reallocation", "Realtime", "WebSocketTransport",
            "PostgresClient", "HTTPFetch", "WireFormat", "ServiceKit",
        ],
        "CommandLine": ["PortfolioModels", "PostgresClient", "HTTPFetch", "WireFormat", "ServiceKit"],
    ]

    /// These know no clock, network, database or log.
    static let pure: Set<String> = [
        "WireFormat", "LinearAlgebra", "ConvexSolver", "PortfolioModels", "Reallocation", "MarketData", "Realtime",
    ]
    static let pureMayImport: Set<String> = [
        "Foundation", "FoundationEssentials", "Dispatch", "Synchronization", "RealModule", "Numerics",
        "OrderedCollections",
        "DequeModule",
        "HeapModule", "Algorithms", "Glibc", "Musl", "Darwin",
    ]

    /// The modules that a source imports: `import M`, `private import M`, `@testable import struct M.T`.
    static func imports(of path: String) throws -> Set<String> {
        var modules: Set<String> = []
        for line in try Repository.lines(path) where line.contains("import ") {
            let words = line.split(separator: " ")
            guard let position = words.firstIndex(of: "import"),
                words[..<position].allSatisfy({
                    $0.hasPrefix("@") || $0.hasPrefix("#") || accessLevels.contains(String($0))
                }),
                var name = words.dropFirst(position + 1).first
            else { continue }
            if importKinds.contains(String(name)), let next = words.dropFirst(position + 2).first { name = next }
            modules.insert(String(name.split(separator: ".")[0]))
        }
        return modules
    }
    private static let accessLevels: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
    private static let importKinds: Set<String> = [
        "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
    ]

    @Test("a target imports only what the design lists for it", arguments: allowed.keys.sorted())
    func followsTheTable(target: String) throws {
        let folder = ["ETL", "StoreNotifier", "Optimizer", "CommandLine"].contains(target) ? "Services" : "Shared"
        let permitted = try #require(Self.allowed[target])
        let sources = Repository.paths(under: "\(folder)/\(target)")
        #expect(!sources.isEmpty, "the folder \(folder)/\(target) is empty or missing")
        for path in sources where path.hasSuffix(".swift") {
            let modules = try Self.imports(of: path)
            for module in modules where Self.allowed[module] != nil && module != target {
                #expect(permitted.contains(module), "\(path) imports \(module)")
            }
            if Self.pure.contains(target) {
                for module in modules where Self.allowed[module] == nil {
                    #expect(Self.pureMayImport.contains(module), "\(path) imports \(module), but \(target) is pure")
                }
            }
        }
    }

    @Test("each folder of Shared and Services is a target of the table")
    func knowsEveryFolder() {
        for folder in ["Shared", "Services"] {
            let names = Set(
                Repository.paths(under: folder).compactMap {
                    $0.split(separator: "/").dropFirst().first.map(String.init)
                })
            for name in names.sorted() { #expect(Self.allowed[name] != nil, "\(folder)/\(name) is not in the table") }
        }
    }
}
