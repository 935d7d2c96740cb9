public import WireFormat

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The machine's clock, for log lines and answers only. Leases, order and expiry of rows use the database's clock.
public enum WallClock {
    public static var now: UTCTimestamp {
        UTCTimestamp(microsecondsSinceEpoch: Int64(Date().timeIntervalSince1970 * 1_000_000))
    }
}
