import Testing
import WireFormat

@testable import ETL

@Suite struct `Schedules` {
    @Test(arguments: [
        ("* * * * *", "2026-03-01T12:00:30Z", "2026-03-01T12:01:00Z"),
        ("* * * * *", "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z"),
        ("*/15 * * * *", "2026-03-01T12:46:00Z", "2026-03-01T13:00:00Z"),
        ("5 * * * *", "2026-03-01T12:05:00Z", "2026-03-01T13:05:00Z"),
        ("30 21 * * 1-5", "2026-03-06T22:00:00Z", "2026-03-09T21:30:00Z"),
        ("30 21 * * mon-FRI", "2026-03-06T22:00:00Z", "2026-03-09T21:30:00Z"),
        ("0 0 1 * *", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 12 13 * 5", "2026-03-01T00:00:00Z", "2026-03-06T12:00:00Z"),
        ("0 12 13 * 5", "2026-03-06T12:00:00Z", "2026-03-13T12:00:00Z"),
        ("0 0 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"),
        ("0 0 * * 0", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z"),
        ("0 9-17/4 * * *", "2026-03-02T09:00:00Z", "2026-03-02T13:00:00Z"),
        ("1,2,50 * * * *", "2026-03-02T09:02:00Z", "2026-03-02T09:50:00Z"),
        ("0 0 1 jan *", "2026-03-02T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("10/20 * * * *", "2026-03-02T09:11:00Z", "2026-03-02T09:30:00Z"),
        ("@hourly", "2026-03-02T09:11:00Z", "2026-03-02T10:00:00Z"),
        ("@daily", "2026-03-02T09:11:00Z", "2026-03-03T00:00:00Z"),
        ("@weekly", "2026-03-02T09:11:00Z", "2026-03-08T00:00:00Z"),
        ("@monthly", "2026-03-02T09:11:00Z", "2026-04-01T00:00:00Z"),
        ("@yearly", "2026-03-02T09:11:00Z", "2027-01-01T00:00:00Z"),
        ("@every 30s", "2026-03-02T09:11:07Z", "2026-03-02T09:11:37Z"),
        ("@every 2h", "2026-03-02T23:11:07Z", "2026-03-03T01:11:07Z"),
        ("0 0 31 * *", "1969-12-01T00:00:00Z", "1969-12-31T00:00:00Z"),
    ])
    func `find the next time in UTC`(_ text: String, _ after: String, _ expected: String) throws {
        let next = try Schedule(text).next(after: #require(UTCTimestamp(iso: after)))
        #expect(next?.isoString == expected)
    }

    @Test(arguments: [
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
        "5-1 * * * *", "a * * * *", "1,,2 * * * *", "1/2/3 * * * *", "0 0 30 2 *", "@every", "@every 5", "@every 0s",
        "@every -1s", "@never", "-1 * * * *",
    ])
    func `refuse what is none, with a reason`(_ text: String) {
        #expect(throws: ScheduleError.self) { try Schedule(text) }
    }
}

@Suite struct `The jobs file` {
    @Test func `names sources, parameters and schedules`() throws {
        let text = """
            {"jobs": [
              {"name": "prices", "source": "csv", "parameters": {"directory": "/tmp/x"}},
              {"name": "btc", "source": "coinbase", "schedule": "*/5 * * * *",
               "parameters": {"products": ["BTC-USD"], "interval": "1h"}},
              {"name": "oracle", "source": "pyth", "schedule": "@every 30s",
               "parameters": {"accounts": [
                 {"symbol": "SOL-USD", "address": "7AviUf9nL62mcxNbQGKm4nKDQnPjswo6c5MX4D57HmyE"}]}}
            ]}
            """
        let jobs = try JobsFile.read(Array(text.utf8))
        #expect(jobs.map(\.name) == ["prices", "btc", "oracle"])
        #expect(jobs.map(\.isWatched) == [true, false, false])
    }

    @Test func `says everything that is wrong, with its place`() {
        let text = """
            {"jobs": [
              {"name": "a", "source": "stooq", "schedule": "@daily", "parameters": {}},
              {"name": "b", "source": "coinbase", "schedule": "soon", "parameters": {"products": ["BTC-USD"]}},
              {"name": "c", "source": "coinbase", "parameters": {"products": ["BTC-USD"]}},
              {"name": "d", "source": "csv", "parameters": {"directory": "/x", "colour": "red"}},
              {"name": "d", "source": "csv", "parameters": {"directory": "/x"}}
            ]}
            """
        let problem = #expect(throws: Problem.self) { try JobsFile.read(Array(text.utf8)) }
        let places = Set(problem?.errors.map(\.pointer.description) ?? [])
        #expect(
            places == [
                "#/jobs/0/source", "#/jobs/1/schedule", "#/jobs/2/schedule", "#/jobs/3/parameters/colour",
                "#/jobs/4/name",
            ])
    }
}
