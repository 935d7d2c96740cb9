extension HullMaster {
    /// The choices of all assets, one asset after the other.
    struct Columns {
        var starts: [Int] = [0]
        var k: [Double] = []
        var cost: [Double] = []
        /// Gains of each choice, by side.
        var short: [Double] = []
        var long: [Double] = []
        /// What each choice adds to the rows, a choice's rows side by side.
        var rows: [Double] = []
    }
}
