import ServiceKit

/// The variables only the collector reads, beside the common ones.
enum ETLOptions {
    static let csvDirectory = ConfigurationOption<String?>.optionalText(
        "BALLAST_CSV_DIRECTORY",
        help: "folder of CSV files that is watched: date,SYMBOL,... or the columns of market_data")
    static let jobsFile = ConfigurationOption<String?>.optionalText(
        "BALLAST_ETL_JOBS_FILE", help: "JSON file of jobs: sources, parameters, schedules")

    static let rows: [ConfigurationRow] = [
        Options.databaseURL.row, Options.etlOpsPort.row, Options.opsHost.row, Options.logLevel.row,
        Options.poolSize.row,
        Options.sqlDirectory.row, Options.drainSeconds.row, csvDirectory.row, jobsFile.row,
    ]
}
