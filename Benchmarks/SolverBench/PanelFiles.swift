import Foundation
import LinearAlgebra
import PortfolioModels
import WireFormat

/// Panels read from raw files; the last one is kept.
struct PanelFiles {
    private var last: (key: String, panel: ReturnPanel)?

    /// The panel of a file of float64, little-endian, T x N by rows, on consecutive weekdays.
    mutating func read(_ path: String, observations: Int, assets: Int) throws -> ReturnPanel {
        // A file written anew is another panel, whatever its name.
        let changed = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
        let key = "\(path) \(changed?.timeIntervalSinceReferenceDate ?? 0) \(observations) \(assets)"
        if let last, last.key == key { return last.panel }
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        guard observations > 0, assets > 0, data.count == 8 * observations * assets else {
            throw Problem(.invalidPrice, "\(path) has \(data.count) bytes, not 8 x \(observations) x \(assets).")
        }
        let bytes = [UInt8](data)
        var returns = Matrix(rows: observations, columns: assets)
        for t in 0..<observations {
            for i in 0..<assets {
                var word: UInt64 = 0
                let start = 8 * (t * assets + i)
                for k in 0..<8 { word |= UInt64(bytes[start + k]) << (8 * UInt64(k)) }
                returns[t, i] = Double(bitPattern: word)
            }
        }
        let names = (0..<assets).map { index in
            let digits = String(index)
            return "S" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        }
        var dates: [CalendarDate] = []
        var day = 0
        while dates.count < observations {
            if let date = CalendarDate(daysSinceEpoch: day), date.weekday < 6 { dates.append(date) }
            day += 1
        }
        let panel = try ReturnPanel(assets: names, dates: dates, returns: returns)
        last = (key, panel)
        return panel
    }
}
