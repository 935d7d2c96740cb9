/// The clock account: the slot and time that a read shows, for free.
///
/// Asked for first and last in a list of accounts, it proves that the read is not torn between two states: nodes answer one
/// call from two slots at times (anza-xyz/agave issue 4807).
public struct ClockSysvar: Sendable, Equatable {
    public static let address = "SysvarC1ock11111111111111111111111111111111"

    public var slot: UInt64
    public var unixTimestamp: Int64

    /// 40 bytes: slot u64, epoch start i64, epoch u64, leader schedule epoch u64, unix timestamp i64.
    public init?(_ bytes: [UInt8]) {
        let reader = LittleEndianReader(bytes)
        guard let slot = reader.integer(UInt64.self, at: 0), let time = reader.integer(Int64.self, at: 32) else {
            return nil
        }
        self.slot = slot
        unixTimestamp = time
    }
}
