import Foundation
func trace(_ text: @autoclosure () -> String) { FileHandle.standardError.write((text() + "\n").data(using: .utf8)!) }
let traceClock = ContinuousClock()
let traceStart = traceClock.now
func stamp() -> Double { (((traceClock.now - traceStart) / .seconds(1)) * 10000).rounded() / 10 }
