// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors in CI; on a developer's machine they stay warnings.
let strict = Context.environment["CI"] != nil

let house: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ] + (strict ? [.treatAllWarnings(as: .error)] : [])

/// Targets that hold no pointer: each unsafe call has to be marked `unsafe`.
let safe: [SwiftSetting] = house + [.strictMemorySafety()]

/// Numeric targets are optimised in debug builds too: the same loop is 68 times slower at -Onone.
/// They run without the dynamic checks of exclusive access, a third of the time of small problems; the compiler's static ones stay.
let numeric: [SwiftSetting] =
    safe + [.unsafeFlags(["-O"], .when(configuration: .debug)), .unsafeFlags(["-enforce-exclusivity=unchecked"])]

/// The engine's blocks are classes that one solve owns: a check of exclusive access at every element is a third of its time.
let unchecked: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"])]

// Products, by the package they come from.
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let realModule: Target.Dependency = .product(name: "RealModule", package: "swift-numerics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let jwt: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let ordered: Target.Dependency = .product(name: "OrderedCollections", package: "swift-collections")
let heap: Target.Dependency = .product(name: "HeapModule", package: "swift-collections")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")

/// A library of `Shared/`.
func library(_ name: String, _ dependencies: [Target.Dependency] = [], _ settings: [SwiftSetting] = safe) -> Target {
    .target(name: name, dependencies: dependencies, path: "Shared/\(name)", swiftSettings: settings)
}

/// One test target for each library and service, in `Tests/`.
func tests(
    _ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil, settings: [SwiftSetting] = house
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(name)Tests",
        exclude: ["EndToEnd", "PortfolioModels"].contains(name) ? ["Peers"] : [],
        resources: resources,
        swiftSettings: settings
    )
}

let package = Package(
    name: "ballast",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "etl", targets: ["ETL"]),
        .executable(name: "store-notifier", targets: ["StoreNotifier"]),
        .executable(name: "optimizer", targets: ["Optimizer"]),
        .executable(name: "ballast", targets: ["CommandLineTool"]),
        .library(name: "PortfolioModels", targets: ["PortfolioModels"]),
        .library(name: "ConvexSolver", targets: ["ConvexSolver"]),
    ],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-numerics", from: "1.1.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(
            name: "COpenBLAS", path: "Shared/COpenBLAS", pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .systemLibrary(
            name: "CLibPQ", path: "Shared/CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CMalloc", path: "Shared/CMalloc"),
        .systemLibrary(
            name: "CLibCurlSystem", path: "Shared/CLibCurlSystem", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CLibCurl", dependencies: ["CLibCurlSystem"], path: "Shared/CLibCurl"),

        // Pure libraries.
        library("WireFormat", [realModule]),
        library(
            "LinearAlgebra", ["COpenBLAS", realModule], house + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        library("ConvexSolver", ["LinearAlgebra", realModule], numeric + unchecked),
        library("PortfolioModels", ["ConvexSolver", "LinearAlgebra", "WireFormat", ordered, realModule], numeric),
        library("Reallocation", ["ConvexSolver", "LinearAlgebra", "WireFormat", realModule], numeric),
        library("MarketData", ["WireFormat"]),
        library("Realtime", ["WireFormat"]),

        // Libraries with I/O.
        library("HTTPFetch", ["CLibCurl", logging], house),
        library("PostgresClient", ["CLibPQ", logging, lifecycle, crypto, deque, heap], house),
        library(
            "WebSocketTransport",
            [
                hummingbirdCore, nioCore, nioPosix, nioHTTP1, nioSSL, nioWebSocket, nioHTTPTypes, nioHTTPTypesHTTP1,
                httpTypes, logging, deque,
            ]),
        library(
            "ServiceKit",
            [
                "WireFormat", "PostgresClient", "CMalloc", hummingbird, hummingbirdCore, httpTypes, nioCore, nioPosix,
                nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, logging, metrics, coreMetrics, configuration, lifecycle,
                unixSignals, jwt,
                crypto,
            ]),

        // Services.
        .executableTarget(
            name: "ETL",
            dependencies: [
                "MarketData", "HTTPFetch", "PostgresClient", "WireFormat", "ServiceKit", hummingbird, lifecycle,
                logging, metrics,
                arguments, configuration, crypto,
            ],
            path: "Services/ETL", swiftSettings: safe),
        .executableTarget(
            name: "StoreNotifier",
            dependencies: [
                "Realtime", "WebSocketTransport", "PostgresClient", "WireFormat", "ServiceKit", hummingbird,
                hummingbirdCore,
                lifecycle, logging, metrics, coreMetrics, arguments, configuration,
            ],
            path: "Services/StoreNotifier", swiftSettings: safe),
        .executableTarget(
            name: "Optimizer",
            dependencies: [
                "PortfolioModels", "ConvexSolver", "LinearAlgebra", "Reallocation", "Realtime", "WebSocketTransport",
                "PostgresClient", "HTTPFetch", "WireFormat", "ServiceKit", hummingbird, lifecycle, logging, metrics,
                arguments,
                configuration, crypto, ordered, deque, nioCore, httpTypes,
            ],
            path: "Services/Optimizer", swiftSettings: numeric),
        .executableTarget(
            name: "CommandLineTool",
            dependencies: [
                "PortfolioModels", "PostgresClient", "HTTPFetch", "WireFormat", "ServiceKit", arguments, logging,
            ],
            path: "Services/CommandLine", swiftSettings: safe),

        // What benchmarks and cross-checks drive: solves requests from standard input.
        .executableTarget(
            name: "SolverBench", dependencies: ["PortfolioModels", "LinearAlgebra", "WireFormat", "CMalloc"],
            path: "Benchmarks/SolverBench", swiftSettings: house),
        // A bare Hummingbird, for the service's rate to be held against.
        .executableTarget(
            name: "HelloBench", dependencies: [hummingbird, logging], path: "Benchmarks/HelloBench",
            swiftSettings: house),
        // What the benchmarks of reallocation drive.
        .executableTarget(
            name: "ReallocationBench", dependencies: ["Reallocation", "LinearAlgebra", "WireFormat"],
            path: "Benchmarks/ReallocationBench", swiftSettings: house),

        // Tests.
        .target(
            name: "TestSupport",
            dependencies: [
                "LinearAlgebra", "PostgresClient", "ServiceKit", "WireFormat", hummingbird, httpTypes, nioCore, logging,
            ],
            path: "Tests/Support", swiftSettings: house),
        tests("WireFormat", ["WireFormat"]),
        tests("LinearAlgebra", ["LinearAlgebra"]),
        // Counts what the test program takes from the heap.
        .target(name: "CAllocations", path: "Tests/CAllocations"),
        tests("ConvexSolver", ["ConvexSolver", "LinearAlgebra", "CAllocations"]),
        tests("PortfolioModels", ["PortfolioModels", "ConvexSolver", "LinearAlgebra", "WireFormat"]),
        // Its tests enumerate: optimised in debug builds as well.
        tests(
            "Reallocation", ["Reallocation", "WireFormat", "ConvexSolver", "LinearAlgebra"],
            settings: house + [.unsafeFlags(["-O"], .when(configuration: .debug))]),
        tests("MarketData", ["MarketData", "WireFormat"]),
        tests("Realtime", ["Realtime", "WireFormat"]),
        tests("HTTPFetch", ["HTTPFetch"]),
        tests("PostgresClient", ["PostgresClient", logging]),
        tests("WebSocketTransport", ["WebSocketTransport", hummingbird, nioCore, nioPosix, nioSSL]),
        tests(
            "ServiceKit",
            [
                "ServiceKit", "WireFormat", "PostgresClient", hummingbird, httpTypes, nioCore, nioPosix, nioEmbedded,
                coreMetrics,
                lifecycle,
                logging,
            ]),
        tests("ETL", ["ETL", "MarketData", "HTTPFetch", "PostgresClient", "ServiceKit", "WireFormat", logging]),
        tests(
            "StoreNotifier",
            [
                "StoreNotifier", "Realtime", "WebSocketTransport", "PostgresClient", "ServiceKit", "WireFormat",
                logging, lifecycle,
            ]),
        tests(
            "Optimizer",
            [
                "Optimizer", "PortfolioModels", "PostgresClient", "ServiceKit", "WireFormat", "ConvexSolver",
                "LinearAlgebra", "HTTPFetch", "Reallocation", "WebSocketTransport",
                hummingbird, httpTypes, nioCore, nioEmbedded, crypto,
            ]),
        tests("CommandLineTool", ["CommandLineTool", "ServiceKit", "WireFormat", arguments]),
        tests("EndToEnd", ["PostgresClient", "WireFormat", "HTTPFetch", logging]),
        tests("Tidy", []),
    ],
    swiftLanguageModes: [.v6]
)
