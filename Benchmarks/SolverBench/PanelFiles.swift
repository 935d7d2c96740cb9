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
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? 0
        guard observations > 0, assets > 0, size == 8 * observations * assets else {
            throw Problem(.invalidPrice, "\(path) has \(size) bytes, not 8 x \(observations) x \(assets).")
        }
        // A row at a time: the memory of a solve is measured beside its panel, not beside copies of the file.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        var returns = Matrix(rows: observations, columns: assets)
        for t in 0..<observations {
            let bytes = [UInt8](try file.read(upToCount: 8 * assets) ?? Data())
            guard bytes.count == 8 * assets else { throw Problem(.invalidPrice, "\(path) ends in row \(t).") }
            for i in 0..<assets {
                var word: UInt64 = 0
                for k in 0..<8 { word |= UInt64(bytes[8 * i + k]) << (8 * UInt64(k)) }
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
