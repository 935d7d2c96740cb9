public import WireFormat

/// The registry: a new source is one file in `Sources/` and one line here.
public enum Sources {
    public static let all: [any MarketDataSource.Type] = [
        CSVSource.self,
        CoinbaseSource.self,
        PythSource.self,
    ]

    /// The source of that id; nil if there is none.
    public static func named(_ id: String) -> (any MarketDataSource.Type)? {
        all.first { $0.id == id }
    }

    /// Makes a source for a job.
    ///
    /// - Throws: every fault of the parameters, with its place.
    public static func make(
        _ type: any MarketDataSource.Type, parameters: MemberReader
    ) throws(Problem) -> any MarketDataSource {
        let source = type.init(parameters: parameters)
        try parameters.finishAndThrow()
        guard let source else { throw Problem(.missingMember, "The parameters of the source are incomplete.") }
        return source
    }
}
