import Foundation
import LinearAlgebra
import Reallocation
import WireFormat

/// What the benchmarks of the reallocation library drive, without a service around it.
///
///     ReallocationBench trades <assets> <problems> [factors] [exchange, reinvested or pools] [file for the problems]
///     ReallocationBench faults <scripts> [first seed]
///
/// Each line it prints is one JSON object.
@main
struct ReallocationBench {
    static func main() throws {
        // As in the service: one thread a solve.
        OpenBLASThreads.set(1)
        let arguments = Array(CommandLine.arguments.dropFirst())
        func number(_ place: Int, _ standard: Int) -> Int {
            arguments.count > place ? Int(arguments[place]) ?? standard : standard
        }
        switch arguments.first {
        case "trades":
            guard let market = DirectIndex.Market(rawValue: arguments.count > 4 ? arguments[4] : "exchange") else {
                throw Problem(JSONPointer(["market"]), .unknownValue, "Known: exchange, reinvested, pools.")
            }
            try TradeMeasurement.run(
                assets: number(1, 500), problems: number(2, 20), factors: number(3, 5), market: market,
                file: arguments.count > 5 ? arguments[5] : nil)
        case "faults": FaultScripts.run(scripts: number(1, 100_000), first: number(2, 0))
        default:
            throw Problem(JSONPointer(["command"]), .unknownValue, "Known: trades, faults.")
        }
    }

    static func say(_ line: JSONValue) {
        print(line.serialized())
        fflush(nil)
    }
}
