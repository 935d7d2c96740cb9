// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that the product's build knows nothing of it: a driver that libFuzzer feeds, over the product's own
// sources, each with coverage. See `run`.
let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"), .unsafeFlags(["-sanitize=fuzzer"]),
]
let numerics = Target.Dependency.product(name: "RealModule", package: "swift-numerics")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let package = Package(
    name: "fuzzing",
    platforms: [.macOS(.v15)],
    dependencies: [
        // Those that the product's own build has checked out.
        .package(path: "../.build/checkouts/swift-collections"), .package(path: "../.build/checkouts/swift-numerics"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", path: "Sources/COpenBLAS", pkgConfig: "openblas"),
        .systemLibrary(name: "CFuzzer", path: "Sources/CFuzzer"),
        .target(name: "LinearAlgebra", dependencies: ["COpenBLAS", numerics], swiftSettings: house),
        .target(name: "ConvexSolver", dependencies: ["LinearAlgebra", numerics], swiftSettings: house),
        .target(name: "WireFormat", dependencies: [numerics], swiftSettings: house),
        .target(
            name: "PortfolioModels",
            dependencies: ["ConvexSolver", "LinearAlgebra", "WireFormat", numerics, ordered], swiftSettings: house),
        .executableTarget(
            name: "Fuzz",
            dependencies: ["PortfolioModels", "ConvexSolver", "WireFormat", "CFuzzer"],
            swiftSettings: house, linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ])
