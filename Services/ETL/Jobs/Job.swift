import FoundationEssentials
import MarketData
import WireFormat

/// Something to collect: a source with its parameters, and when.
struct Job: Sendable {
    var name: String
    var sourceID: String
    var source: any MarketDataSource
    /// Nil for a folder that is only watched.
    var schedule: Schedule?
    /// Whether files are loaded as soon as they change.
    var isWatched: Bool

    /// Reads one entry of the jobs file.
    ///
    /// ```json
    /// {"name": "btc", "source": "coinbase", "schedule": "*/5 * * * *", "parameters": {"products": ["BTC-USD"]}}
    /// ```
    init?(_ reader: MemberReader) {
        let name = reader.string("name", required: true, maximumLength: 64) ?? ""
        let sourceID = reader.string("source", required: true, maximumLength: 32) ?? ""
        let text = reader.string("schedule", maximumLength: 256)
        let watch = reader.bool("watch")
        let given = reader.value("parameters", required: true)
        reader.finish()
        guard !name.isEmpty, let given else { return nil }
        guard let type = Sources.named(sourceID) else {
            let known = Sources.all.map { $0.id }
            reader.faults.record(
                Violation(
                    reader.pointer.appending("source"), .unknownValue, MemberReader.unknownValue(sourceID, known: known)
                ))
            return nil
        }
        // A list of faults of its own: a source is made only from parameters without any, whatever ails other jobs.
        let parameters = MemberReader(given, at: reader.pointer.appending("parameters"))
        let made = type.init(parameters: parameters)
        parameters.finish()
        for fault in parameters.faults.violations { reader.faults.record(fault) }
        guard let source = made else { return nil }
        var schedule: Schedule?
        if let text {
            do throws(ScheduleError) {
                schedule = try Schedule(text)
            } catch {
                reader.faults.record(Violation(reader.pointer.appending("schedule"), .badFormat, error.description))
                return nil
            }
        }
        var isFolder = false
        if case .folder = source.inputs { isFolder = true }
        self.init(
            name: name, sourceID: sourceID, source: source, schedule: schedule, isWatched: isFolder && (watch ?? true))
        if schedule == nil, !isWatched {
            reader.faults.record(Violation(reader.pointer.appending("schedule"), .missing, "The job needs a schedule."))
            return nil
        }
    }

    init(
        name: String, sourceID: String, source: any MarketDataSource, schedule: Schedule? = nil, isWatched: Bool = false
    ) {
        self.name = name
        self.sourceID = sourceID
        self.source = source
        self.schedule = schedule
        self.isWatched = isWatched
    }

    /// The folder that `BALLAST_CSV_DIRECTORY` names, watched.
    static func csvFolder(_ directory: String) -> Job {
        Job(name: "csv", sourceID: CSVSource.id, source: CSVSource(directory: directory), isWatched: true)
    }
}

/// The file of jobs: `{"jobs": [...]}`.
enum JobsFile {
    /// Reads all jobs, or says everything that is wrong with them.
    static func read(_ bytes: [UInt8]) throws(Problem) -> [Job] {
        let document: JSONValue
        do throws(JSONSyntaxError) {
            document = try StrictJSON.parse(bytes)
        } catch {
            throw Problem(error)
        }
        let reader = MemberReader(document)
        var jobs: [Job] = []
        for (place, element) in reader.elements("jobs", required: true, count: 0...1_000) ?? [] {
            guard let job = Job(MemberReader(element, at: place, faults: reader.faults)) else { continue }
            if jobs.contains(where: { $0.name == job.name }) {
                reader.faults.record(Violation(place.appending("name"), .duplicate, "Two jobs have this name."))
            }
            jobs.append(job)
        }
        try reader.finishAndThrow()
        return jobs
    }
}
