import Foundation
import LinearAlgebra
import Testing
import WireFormat

@testable import PortfolioModels

/// Ledoit-Wolf beside scikit-learn in one run, on one thread each. `BALLAST_TEST_PYTHON` names a python that has it.
enum ScikitLearn {
    static let interpreter = ProcessInfo.processInfo.environment["BALLAST_TEST_PYTHON"] ?? ""

    static let isPresent: Bool = {
        guard !interpreter.isEmpty else { return false }
        return (try? run("import sklearn", [])) != nil
    }()

    struct Failure: Error { let status: Int32 }

    /// What a script prints.
    static func run(_ script: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: interpreter)
        process.arguments = ["-c", script] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(["OPENBLAS_NUM_THREADS": "1"]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(status: process.terminationStatus) }
        return text
    }
}

@Suite(
    "Ledoit-Wolf beside scikit-learn", .serialized,
    .enabled(if: ScikitLearn.isPresent, "BALLAST_TEST_PYTHON names no python with scikit-learn"))
struct LedoitWolfSpeedTests {
    @Test("At 500 assets and 2,500 periods ours is faster and the same")
    func speed() throws {
        let panel = try randomPanel(assets: 500, observations: 2500, seed: 1)
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("ledoit-\(UUID().uuidString).f64")
        defer { try? FileManager.default.removeItem(at: url) }
        var bytes: [UInt8] = []
        for value in panel.returns.storage {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: value.bitPattern >> shift))
            }
        }
        try Data(bytes).write(to: url)
        let script = """
            import sys, time, numpy
            from sklearn.covariance import LedoitWolf
            x = numpy.fromfile(sys.argv[1]).reshape(500, 2500).T.copy()
            times = []
            for _ in range(6):
                start = time.perf_counter(); found = LedoitWolf(store_precision=False).fit(x); times.append(time.perf_counter() - start)
            print(sorted(times[1:])[2], found.shrinkage_, numpy.linalg.norm(found.covariance_))
            """
        let peer = try ScikitLearn.run(script, [url.path]).split(separator: " ").compactMap {
            Double($0.filter { !$0.isWhitespace })
        }
        let threads = OpenBLASThreads.count
        OpenBLASThreads.set(1)
        defer { OpenBLASThreads.set(threads) }
        var times: [Double] = []
        var norm = 0.0
        for _ in 0..<6 {
            let clock = ContinuousClock()
            let start = clock.now
            let found = try LedoitWolfShrinkage().estimate(panel).matrix
            times.append(Double((clock.now - start).components.attoseconds) / 1e18)
            norm = Vector.norm2(found.storage)
        }
        let own = times.dropFirst().sorted()[2]
        print("Ledoit-Wolf (500, 2500), one thread: \(1000 * own) ms, scikit-learn \(1000 * peer[0]) ms")
        #expect(own < peer[0])
        #expect(abs(norm - peer[2]) <= 1e-10 * norm)
        let centred = CentredReturns.of(panel)
        let share = LedoitWolfShrinkage.intensity(centred: centred, sample: CentredReturns.covariance(centred))
        #expect(abs(share - peer[1]) <= 1e-10)
    }
}
