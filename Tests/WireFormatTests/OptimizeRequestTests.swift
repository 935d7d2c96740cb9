import Testing
import WireFormat

@Suite("Optimise request")
struct OptimizeRequestTests {
    /// The specification's own request, verbatim.
    static let specification = """
        {
          "assets": ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"],
          "start_date": "2018-01-01",
          "end_date": "2023-01-01",
          "model": "Classic",
          "risk_measure": "MV",
          "objective": "Sharpe",
          "risk_free_rate": 0.0,
          "constraints": {
            "lower_bound": 0.0,
            "upper_bound": 0.3,
            "groups": {
              "Tech": ["AAPL", "MSFT", "GOOGL"],
              "Finance": ["JPM", "BAC"]
            },
            "group_constraints": {
              "Tech": { "min": 0.2, "max": 0.6 },
              "Finance": { "min": 0.1, "max": 0.4 }
            }
          }
        }
        """

    private func decode(_ text: String) throws -> OptimizeRequest {
        try OptimizeRequest(json: StrictJSON.parse(text))
    }

    private func problem(_ text: String) throws -> Problem? {
        let json = try StrictJSON.parse(text)
        do {
            _ = try OptimizeRequest(json: json)
            return nil
        } catch {
            return error
        }
    }

    /// `pointer code` of every fault.
    private func faults(_ text: String) throws -> [String] {
        guard let problem = try problem(text) else { return [] }
        #expect(problem.status == 422 && problem.class == .request)
        return problem.errors.map { "\($0.pointer) \($0.code.text)" }
    }

    @Test("the specification's request decodes as it is written")
    func specificationVerbatim() throws {
        let request = try decode(Self.specification)
        #expect(request.assets == ["AAPL", "MSFT", "AMZN", "GOOGL", "FB"])
        #expect(request.startDate == CalendarDate(iso: "2018-01-01"))
        #expect(request.endDate == CalendarDate(iso: "2023-01-01"))
        #expect(request.model == .classic && request.riskMeasure == .mv && request.objective == .sharpe)
        #expect(request.constraints.upperBound == .all(0.3))
        #expect(request.constraints.groupLimits.count == 2)
        #expect(request.constraints.members(of: "Finance", among: request.assets) == [])
        #expect(request.frontier == nil && request.store)
    }

    @Test("canonical JSON decodes to the same request, and does not depend on order or digits")
    func canonical() throws {
        let full = """
            {"objective":"Utility","assets":["B","A"],"risk_aversion":3,"constraints":{"upper_bound":{"B":0.6,"A":0.9},
            "groups":{"Z":["B","A"],"Y":["A"]},"group_constraints":{"Z":{"max":1},"Y":{"min":0.10}},"budget":{"min":0.5,"max":1},
            "linear":["A - B <= 0.1",{"name":"n","coefficients":{"B":1},"min":0.05}],"short":0.2,"gross":1.4,
            "turnover":{"from":{"A":1.0},"total":0.5},"min_return":0.01,"units":"annual"},
            "efficient_frontier":{"points":7,"by":"risk","weights":true},"alpha":0.10,"periods_per_year":12,"calendar":"seven_day",
            "name":"n","portfolio_id":"abcd","recalculation":{"enabled":true,"quiet_ms":5}}
            """
        let reordered = """
            {"assets":["B","A"],"alpha":1e-1,"recalculation":{"quiet_ms":5,"enabled":true},"portfolio_id":"abcd","name":"n",
            "calendar":"seven_day","periods_per_year":12.0,"efficient_frontier":{"weights":true,"by":"risk","points":7},
            "constraints":{"units":"annual","min_return":0.01,"turnover":{"total":0.50,"from":{"A":1}},"gross":1.4,"short":0.2,
            "linear":["A - B <= 0.1",{"name":"n","coefficients":{"B":1},"min":0.05}],"budget":{"max":1,"min":0.5},
            "group_constraints":{"Y":{"min":0.1},"Z":{"max":1}},"groups":{"Y":["A"],"Z":["A","B"]},
            "upper_bound":{"A":0.9,"B":0.6}},"risk_aversion":3.0,"objective":"Utility","store":true,"risk_measure":"MV"}
            """
        let one = try decode(full)
        let two = try decode(reordered)
        #expect(one.json.serialized() == two.json.serialized())
        let again = try OptimizeRequest(json: one.json)
        #expect(again.json.serialized() == one.json.serialized())
        #expect(one.constraints.linear[0].coefficients == [.init("A", 1), .init("B", -1)])
        let other = try decode(full.replacing("\"risk_aversion\":3", with: "\"risk_aversion\":4"))
        #expect(other.json != one.json)
        let specification = try decode(Self.specification)
        #expect(try OptimizeRequest(json: specification.json).json == specification.json)
    }

    @Test("the long names of the specification are aliases")
    func aliases() throws {
        #expect(try decode(#"{"assets":["A"],"model":"Classic Mean-Variance Optimization"}"#).model == .classic)
        #expect(ModelName.named("Black-Litterman Model")?.model == .blackLitterman)
        #expect(ModelName.named("Risk Parity")?.model == .riskParity)
        #expect(ModelName.named("Hierarchical Risk Parity")?.model == .hierarchicalRiskParity)
        let tail = ModelName.named("Conditional Value at Risk (CVaR) Optimization")
        #expect(tail?.model == .classic && tail?.measure == .cvar)
        #expect(ModelName.named("Clasic") == nil)
    }

    @Test(
        "each fault is named by its pointer",
        arguments: [
            (#"[]"#, "# wrong_type"),
            (#"{}"#, "#/assets missing"),
            (#"{"assets":[]}"#, "#/assets out_of_range"),
            (#"{"assets":"AAPL"}"#, "#/assets wrong_type"),
            (#"{"assets":["A",1]}"#, "#/assets/1 wrong_type"),
            (#"{"assets":["A","B","A"]}"#, "#/assets/2 duplicate"),
            (#"{"assets":["A",""]}"#, "#/assets/1 bad_format"),
            (#"{"assets":["A"],"objectiv":"Sharpe"}"#, "#/objectiv unknown_member"),
            (#"{"assets":["A"],"objective":"sharpe"}"#, "#/objective unknown_value"),
            (#"{"assets":["A"],"model":"Clasic"}"#, "#/model unknown_value"),
            (#"{"assets":["A"],"risk_measure":"CVAR"}"#, "#/risk_measure unknown_value"),
            (#"{"assets":["A"],"start_date":"2023-02-30"}"#, "#/start_date bad_date"),
            (#"{"assets":["A"],"start_date":20230101}"#, "#/start_date wrong_type"),
            (#"{"assets":["A"],"start_date":"2023-02-03","end_date":"2023-02-02"}"#, "#/start_date contradiction"),
            (#"{"assets":["A"],"risk_free_rate":"0.02"}"#, "#/risk_free_rate wrong_type"),
            (#"{"assets":["A"],"risk_free_rate":1e999}"#, "#/risk_free_rate out_of_range"),
            (#"{"assets":["A"],"risk_aversion":-1}"#, "#/risk_aversion out_of_range"),
            (#"{"assets":["A"],"alpha":0}"#, "#/alpha out_of_range"),
            (#"{"assets":["A"],"alpha":1}"#, "#/alpha out_of_range"),
            (#"{"assets":["A"],"kappa":1}"#, "#/kappa out_of_range"),
            (#"{"assets":["A"],"a_sim":1.5}"#, "#/a_sim wrong_type"),
            (#"{"assets":["A"],"periods_per_year":0}"#, "#/periods_per_year out_of_range"),
            (#"{"assets":["A"],"efficient_frontier":1}"#, "#/efficient_frontier out_of_range"),
            (#"{"assets":["A"],"efficient_frontier":"yes"}"#, "#/efficient_frontier wrong_type"),
            (#"{"assets":["A"],"efficient_frontier":{"by":"sharpe"}}"#, "#/efficient_frontier/by unknown_value"),
            (#"{"assets":["A"],"portfolio_id":"a b"}"#, "#/portfolio_id bad_format"),
            (#"{"assets":["A"],"store":"no"}"#, "#/store wrong_type"),
            (#"{"assets":["A"],"store":false,"portfolio_id":"abcd"}"#, "#/portfolio_id contradiction"),
            (
                #"{"assets":["A"],"recalculation":{"quiet_ms":9,"max_wait_ms":3}}"#,
                "#/recalculation/quiet_ms contradiction"
            ),
            (#"{"assets":["A"],"constraints":[]}"#, "#/constraints wrong_type"),
            (#"{"assets":["A"],"constraints":{"uper_bound":1}}"#, "#/constraints/uper_bound unknown_member"),
            (#"{"assets":["A"],"constraints":{"upper_bound":true}}"#, "#/constraints/upper_bound wrong_type"),
            (#"{"assets":["A"],"constraints":{"upper_bound":{"B":1}}}"#, "#/constraints/upper_bound/B unknown_value"),
            (
                #"{"assets":["A"],"constraints":{"lower_bound":0.5,"upper_bound":0.2}}"#,
                "#/constraints/lower_bound contradiction"
            ),
            (
                #"{"assets":["A","B"],"constraints":{"lower_bound":{"B":0.5},"upper_bound":0.2}}"#,
                "#/constraints/lower_bound/B contradiction"
            ),
            (#"{"assets":["A"],"constraints":{"lower_bound":-0.5}}"#, "#/constraints/lower_bound contradiction"),
            (#"{"assets":["A"],"constraints":{"groups":{"G":["A","A"]}}}"#, "#/constraints/groups/G/1 duplicate"),
            (
                #"{"assets":["A"],"constraints":{"groups":{"\u00e9":["A"],"e\u0301":["A"]}}}"#,
                "#/constraints/groups/e%CC%81 duplicate"
            ),
            (#"{"assets":["A"],"constraints":{"groups":{"G":"A"}}}"#, "#/constraints/groups/G wrong_type"),
            (
                #"{"assets":["A"],"constraints":{"groups":{"G":["A"]},"group_constraints":{"H":{"min":0.1}}}}"#,
                "#/constraints/group_constraints/H unknown_member"
            ),
            (
                #"{"assets":["A"],"constraints":{"groups":{"G":["A"]},"group_constraints":{"G":{"min":0.5,"max":0.1}}}}"#,
                "#/constraints/group_constraints/G/min contradiction"
            ),
            (
                #"{"assets":["A"],"constraints":{"groups":{"G/1":["A"]},"group_constraints":{"G/1":{"maximum":1}}}}"#,
                "#/constraints/group_constraints/G~11/maximum unknown_member"
            ),
            (#"{"assets":["A"],"constraints":{"linear":["A <= "]}}"#, "#/constraints/linear/0 bad_format"),
            (#"{"assets":["A"],"constraints":{"linear":["TSLA <= 1"]}}"#, "#/constraints/linear/0 bad_format"),
            (
                #"{"assets":["A"],"constraints":{"linear":[{"coefficients":{"A":1}}]}}"#,
                "#/constraints/linear/0/max missing"
            ),
            (
                #"{"assets":["A"],"constraints":{"linear":[{"coefficients":{"C":1},"max":1}]}}"#,
                "#/constraints/linear/0/coefficients/C unknown_value"
            ),
            (#"{"assets":["A"],"constraints":{"budget":{"min":1}}}"#, "#/constraints/budget/max missing"),
            (
                #"{"assets":["A"],"constraints":{"budget":{"min":1,"max":0.5}}}"#,
                "#/constraints/budget/min contradiction"
            ),
            (#"{"assets":["A"],"constraints":{"short":-1}}"#, "#/constraints/short out_of_range"),
            (#"{"assets":["A"],"constraints":{"turnover":{"from":{"A":1}}}}"#, "#/constraints/turnover/total missing"),
            (#"{"assets":["A"],"constraints":{"units":"monthly"}}"#, "#/constraints/units unknown_value"),
        ])
    func pointer(text: String, expected: String) throws {
        #expect(try faults(text) == [expected])
    }

    @Test("an unknown member comes with the nearest known name")
    func nearest() throws {
        let found = try #require(try problem(#"{"assets":["A"],"risk_mesure":"MV"}"#))
        #expect(found.errors[0].detail.contains("risk_measure"))
    }

    @Test("all faults come in one answer")
    func several() throws {
        let found = try faults(#"{"assets":["A","A"],"alpha":2,"objective":"x","foo":1}"#)
        #expect(
            Set(found) == [
                "#/assets/1 duplicate", "#/alpha out_of_range", "#/objective unknown_value", "#/foo unknown_member",
            ])
    }

    @Test("an inline panel decodes, nulls are missing")
    func inline() throws {
        let text = #"{"returns":{"dates":["2023-01-03","2023-01-04"],"values":{"A":[0.1,null],"B":[-0.1,2e-2]}}}"#
        let request = try decode(text)
        #expect(request.assets == ["A", "B"] && request.isPure)
        #expect(request.panel?.values == [[0.1, nil], [-0.1, 0.02]])
        #expect(try OptimizeRequest(json: request.json) == request)
        let chosen = try decode(text.replacing(#"{"returns""#, with: #"{"assets":["B"],"returns""#))
        #expect(chosen.assets == ["B"])
    }

    @Test(
        "faults of an inline panel",
        arguments: [
            (#""returns":{"values":{"A":[]}}"#, "#/returns/dates missing"),
            (#""returns":{"dates":["2023-01-03"],"values":{}}"#, "#/returns/values out_of_range"),
            (#""returns":{"dates":["2023-01-03"],"values":{"A":[1,2]}}"#, "#/returns/values/A length_mismatch"),
            (#""returns":{"dates":["2023-01-03","2023-01-03"],"values":{"A":[1,2]}}"#, "#/returns/dates/1 duplicate"),
            (
                #""returns":{"dates":["2023-01-04","2023-01-03"],"values":{"A":[1,2]}}"#,
                "#/returns/dates/1 out_of_range"
            ),
            (#""returns":{"dates":["2023-01-04"],"values":{"A":["x"]}}"#, "#/returns/values/A/0 wrong_type"),
            (#""prices":{"dates":["2023-01-04"],"values":{"A":[0]}}"#, "#/prices/values/A/0 out_of_range"),
            (#""prices":{"dates":["2023-01-04"],"values":{"A":[1]}},"assets":["B"]"#, "#/assets/0 contradiction"),
            (#""prices":{"dates":["2023-01-04"],"values":{"A":[1]}},"store":true"#, "#/store contradiction"),
            (
                #""prices":{"dates":["2023-01-04"],"values":{"A":[1]}},"portfolio_id":"abcd""#,
                "#/portfolio_id contradiction"
            ),
            (
                #""returns":{"dates":[],"values":{"A":[]}},"prices":{"dates":[],"values":{"A":[]}}"#,
                "#/prices contradiction"
            ),
        ])
    func inlineFaults(members: String, expected: String) throws {
        #expect(try faults("{\(members)}") == [expected])
    }
}

@Suite("Linear constraint as text")
struct LinearTextTests {
    private func parse(_ text: String) throws -> ConstraintRequest.Linear? {
        let json: JSONValue = [
            "assets": ["AAPL", "MSFT", "BRK-B", "BRK", "E5"],
            "constraints": ["groups": ["Tech": ["AAPL", "MSFT"]], "linear": [.string(text)]],
        ]
        return try OptimizeRequest(json: json).constraints.linear.first
    }

    @Test(
        "sums, factors, both sides, groups",
        arguments: [
            ("AAPL + MSFT <= 0.4", [("AAPL", 1.0), ("MSFT", 1)], nil, 0.4),
            ("2*AAPL - 0.5 MSFT >= 0.1", [("AAPL", 2), ("MSFT", -0.5)], 0.1, nil),
            ("AAPL == MSFT", [("AAPL", 1), ("MSFT", -1)], 0, 0),
            ("0.1 <= Tech <= 0.4", [("Tech", 1)], 0.1, 0.4),
            ("0.9 >= AAPL + 0.1 >= 0.2", [("AAPL", 1)], 0.1, 0.8),
            ("BRK-B <= 0.1", [("BRK-B", 1)], nil, 0.1),
            ("BRK - AAPL <= 1e-1", [("BRK", 1), ("AAPL", -1)], nil, 0.1),
            ("2*E5 <= 1", [("E5", 2)], nil, 1),
            ("\"AAPL\"+0.2<=MSFT+0.5", [("AAPL", 1), ("MSFT", -1)], nil, 0.3),
            ("- AAPL <= -0.1", [("AAPL", -1)], nil, -0.1),
        ] as [(String, [(String, Double)], Double?, Double?)])
    func parses(text: String, terms: [(String, Double)], low: Double?, high: Double?) throws {
        let row = try #require(try parse(text))
        #expect(row.coefficients.map { $0.asset } == terms.map { $0.0 })
        #expect(row.coefficients.map { $0.value } == terms.map { $0.1 })
        for (own, expected) in [(row.min, low), (row.max, high)] {
            #expect((own == nil) == (expected == nil))
            if let own, let expected { #expect(abs(own - expected) < 1e-15) }
        }
    }

    @Test(
        "refuses what is no constraint",
        arguments: [
            "", "AAPL", "AAPL <= ", "<= 0.4", "AAPL + <= 0.4", "0.1 <= 0.4", "AAPL < 0.4", "AAPL <= 0.1 <= 0.2 <= 0.3",
            "TSLA <= 0.1",
            "AAPL * MSFT <= 0.1", "AAPL - AAPL <= 0.1", "0.5 <= AAPL <= 0.4", "\"AAPL <= 0.4", "AAPL <= 0.1 == 0.2",
            "1..2 AAPL <= 1",
            "AAPLX <= 0.1",
        ])
    func refuses(text: String) throws {
        #expect(throws: Problem.self) { try parse(text) }
    }
}
