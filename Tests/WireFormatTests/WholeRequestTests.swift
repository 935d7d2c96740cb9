import Testing
import WireFormat

@Suite("The whole optimise request")
struct WholeRequestTests {
    private func decode(_ text: String) throws -> OptimizeRequest {
        try OptimizeRequest(json: StrictJSON.parse(text))
    }

    private func faults(_ text: String) throws -> [String] {
        do {
            _ = try decode(text)
            return []
        } catch let problem as Problem {
            return problem.errors.map { "\($0.pointer) \($0.code.text)" }
        }
    }

    /// Each asks for something of its own, together for every member of API.md.
    static let requests = [
        #""risk_measure":"EVaR","objective":"Utility","risk_aversion":3.5,"kelly":"exact","alpha":0.1,"target":0.001"#,
        #""risk_measure":"TGRG","alpha":0.1,"beta":0.02,"a_sim":50,"b_sim":60"#,
        #""risk_measure":"RVRG","kappa":0.2,"kappa_gain":0.4,"convention":"skfolio""#,
        #""risk_measure":"ESM","power":3,"scenario_weights":{"half_life":126}"#,
        #""scenario_weights":[0,1,2.5]"#,
        #""mean_estimator":{"method":"JS","target":"b3"},"covariance_estimator":{"method":"ledoit","target":"single_factor"}"#,
        #""mean_estimator":{"method":"ewma1","d":0.9},"covariance_estimator":{"method":"shrink","alpha":0.2,"detone":true,"market_components":2,"bandwidth":0.02}"#,
        #""mean_estimator":{"method":"custom","values":{"A":0.1,"B":0.2,"C":0.3}},"covariance_estimator":{"method":"custom","values":{"assets":["B","A","C"],"values":[[1,0,0],[0,2,0.5],[0,0.5,3]]},"repair":"higham"}"#,
        #""mean_estimator":{"method":"equilibrium","weights":{"A":1},"risk_aversion":2.5}"#,
        #""model":"BL","views":{"items":[{"weights":{"A":1,"B":-1},"return":0.0001,"confidence":0.6},"C == 0.0002"],"prior_weights":{"A":0.5,"B":0.5},"risk_free_rate":0.02,"tau":0.05,"equilibrium":false}"#,
        #""model":"EP","views":{"items":["A >= B >= C","CVaR(A) <= 0.03","corr(A, B) == 0.5","std(0.5 A + 0.5 B) >= 0.01",{"statistic":"skew","weights":{"A":1},"sense":">=","value":-0.5}]}"#,
        #""model":"EP","views":{"opinions":[{"items":["A >= 0.001"],"probability":0.4},{"items":["B <= 0"],"probability":0.3}],"pooling":"log"}"#,
        #""model":"FM","factors":{"returns":{"dates":["2023-01-03"],"values":{"MKT":[0.01],"SMB":[0.0]}},"feature_selection":"PCR","n_components":2,"scenarios":"model"}"#,
        #""model":"BL_FM","factors":{"assets":["SPY"],"stepwise":"Backward","criterion":"AIC","const":false,"error":false},"views":{"items":["SPY == 0.0004"],"flavor":"ABL"}"#,
        #""model":"RiskParity","risk_measure":"CVaR","risk_budget":{"A":0.5,"B":0.25,"C":0.25}"#,
        #""model":"FactorRiskParity","factors":{"loadings":{"A":{"M":1},"B":{"M":0.5,"V":1},"C":{"V":-1}}},"risk_budget":{"M":0.6,"V":0.4}"#,
        #""model":"RelaxedRiskParity","relaxation":{"version":"C","lambda":2}"#,
        #""model":"WorstCase","uncertainty":{"mean":{"set":"ellipsoid","method":"normal","k":"general","q":0.1},"covariance":{"set":"box","method":"delta","delta":0.2}}"#,
        #""model":"WorstCase","risk_measure":"CVaR","uncertainty":{"wasserstein_radius":0.02,"mean":{"set":"none"},"covariance":{"set":"ellipsoid","method":"moving","k":3,"samples":100,"window":5,"seed":7,"diagonal":false}}"#,
        #""model":"OWA","owa_weights":{"method":"l_moment_crm","k":6,"weighting":"CRRA","gamma":0.3,"max_phi":0.4}"#,
        #""model":"OWA","owa_weights":{"method":"wcvrg","alphas":[0.01,0.05],"weights":[1,2],"betas":[0.1],"gain_weights":[1]}"#,
        #""model":"OWA","objective":"MinRisk","owa_weights":[-0.5,0,0.5]"#,
        #""model":"MVSK","moment_aversion":{"variance":1,"skewness":0,"kurtosis":2}"#,
        #""model":"HERC","risk_measure":"CDaR_Rel","clustering":{"codependence":"mutual_info","linkage":"ward","k":2,"bins":"HGR","leaf_order":false,"method_k":"stdsil"}"#,
        #""model":"NCO","clustering":{"codependence":"custom","matrix":{"values":[[1,0.1,0],[0.1,1,0],[0,0,1]]},"objective":"ERC","bins":7}"#,
        #""model":"HRP","risk_measure":"vol""#,
        #""model":"Schur","clustering":{"gamma":0.7}"#,
        #""model":"MaxDiversification""#,
        #""constraints":{"tracking_error":0.002,"benchmark":{"A":0.5,"B":0.5},"soft":{"tracking_error":10}}"#,
        #""constraints":{"tracking_error":0.002,"benchmark_returns":{"dates":["2023-01-03","2023-01-04"],"values":[0.01,-0.01]}}"#,
        #""constraints":{"tracking_error":0.002,"benchmark_returns":[0.01,-0.01]}"#,
        #""constraints":{"max_risk":{"CVaR":0.02,"MV":0.01},"effective_assets":2.5,"min_return":0.001,"units":"annual"}"#,
        #""constraints":{"cardinality":2,"min_position":0.05}"#,
        #""constraints":{"groups":{"G":["A","B"]},"cardinality":{"max":2,"groups":{"G":1}},"mutually_exclusive":[["A","B"]],"join":[["G","C"]],"risk_contribution":{"A":{"max":0.4},"G":{"min":0.1}}}"#,
        #""constraints":{"factor_exposure":{"M":{"min":-0.1,"max":0.1}}},"factors":{"loadings":{"A":{"M":1},"B":{"M":0.5},"C":{"M":0}}}"#,
        #""constraints":{"costs":{"from":{"A":1},"linear":0.001,"impact":{"A":0.1},"horizon":21}}"#,
    ]

    @Test("every member decodes, and its canonical form decodes to the same request", arguments: requests)
    func roundTrip(members: String) throws {
        let text = "{\"assets\":[\"A\",\"B\",\"C\"],\(members)}"
        let request = try decode(text)
        let again = try OptimizeRequest(json: request.json)
        #expect(again.json.serialized() == request.json.serialized())
        // The canonical form keeps what was asked for: it differs from the plain request's.
        #expect(request.json != (try decode(#"{"assets":["A","B","C"]}"#)).json)
    }

    @Test("every number of a request reaches its canonical form", arguments: requests)
    func nothingLost(members: String) throws {
        let text = "{\"assets\":[\"A\",\"B\",\"C\"],\(members)}"
        let document = try StrictJSON.parse(text)
        let canonical = try OptimizeRequest(json: document).json
        var missing: [String] = []
        func compare(_ own: JSONValue, _ pointer: JSONPointer) {
            switch own {
            case .object(let object):
                for member in object.members { compare(member.value, pointer.appending(member.key)) }
            case .array(let list):
                for (index, element) in list.enumerated() { compare(element, pointer.appending(index)) }
            case .number(let number):
                guard let found = pointer.resolve(in: canonical)?.doubleValue else {
                    return missing.append("\(pointer)")
                }
                if found != number.double { missing.append("\(pointer)") }
            default: break
            }
        }
        compare(document, .root)
        // Views written as text get other places.
        #expect(missing.filter { !$0.contains("/views/") }.isEmpty, "\(missing)")
    }

    @Test(
        "each fault is named by its pointer",
        arguments: [
            (#""risk_measure":"VaR""#, "#/risk_measure evaluation_only"),
            (#""risk_measure":"CDaR_Rel""#, "#/risk_measure evaluation_only"),
            (#""model":"RiskParity","risk_measure":"VRG""#, "#/risk_measure evaluation_only"),
            (#""risk_measure":"vol""#, "#/risk_measure unknown_value"),
            (#""kelly":"full""#, "#/kelly unknown_value"),
            (#""model":"HRP","kelly":"exact""#, "#/kelly contradiction"),
            (#""model":"HRP","efficient_frontier":true"#, "#/efficient_frontier contradiction"),
            (#""model":"BL""#, "#/views missing"),
            (#""model":"BL","views":{"items":["A >= 0.1"]}"#, "#/views/items/0 contradiction"),
            (#""model":"BL","views":{"items":["D == 0.1"]}"#, "#/views/items/0 bad_format"),
            (#""model":"BL","views":{"items":[{"weights":{"A":1}}]}"#, "#/views/items/0/return missing"),
            (
                #""model":"BL","views":{"items":[{"weights":{"D":1},"return":0}]}"#,
                "#/views/items/0/weights/D unknown_value"
            ),
            (
                #""model":"BL","views":{"items":[{"weights":{"A":1},"return":0,"confidence":1.5}]}"#,
                "#/views/items/0/confidence out_of_range"
            ),
            (#""model":"EP","views":{"items":["corr(A,B) == 1.5"]}"#, "#/views/items/0 bad_format"),
            (#""views":{"items":["A == 0.1"]}"#, "#/views contradiction"),
            (#""model":"FM""#, "#/factors missing"),
            (#""model":"FM","factors":{}"#, "#/factors/returns missing"),
            (#""factors":{"assets":["SPY"]}"#, "#/factors contradiction"),
            (#""model":"RiskParity","risk_budget":{"A":0.5,"B":0.5}"#, "#/risk_budget/C missing"),
            (#""model":"RiskParity","risk_budget":{"A":0.5,"B":0.5,"C":0.5}"#, "#/risk_budget contradiction"),
            (#""model":"RiskParity","risk_budget":{"A":0.5,"B":0.5,"C":0}"#, "#/risk_budget/C out_of_range"),
            (#""risk_budget":{"A":0.5,"B":0.25,"C":0.25}"#, "#/risk_budget contradiction"),
            (#""relaxation":{"version":"A"}"#, "#/relaxation contradiction"),
            (#""model":"RelaxedRiskParity","relaxation":{"version":"D"}"#, "#/relaxation/version unknown_value"),
            (#""model":"WorstCase","uncertainty":{"mean":{"k":"big"}}"#, "#/uncertainty/mean/k unknown_value"),
            (
                #""model":"WorstCase","uncertainty":{"mean":{"set":"ellipsoid","method":"delta"}}"#,
                "#/uncertainty/mean/method contradiction"
            ),
            (#""model":"WorstCase","risk_measure":"CVaR""#, "#/risk_measure contradiction"),
            (#""model":"HRP","clustering":{"linkage":"Ward"}"#, "#/clustering/linkage unknown_value"),
            (#""model":"HRP","clustering":{"k":4}"#, "#/clustering/k out_of_range"),
            (#""clustering":{}"#, "#/clustering contradiction"),
            (#""model":"OWA","owa_weights":{"method":"cvar","k":3}"#, "#/owa_weights/k contradiction"),
            (
                #""model":"OWA","owa_weights":{"method":"wcvar","alphas":[0.1],"weights":[1,2]}"#,
                "#/owa_weights/weights length_mismatch"
            ),
            (#""owa_weights":[1,2]"#, "#/owa_weights contradiction"),
            (#""scenario_weights":[0,0]"#, "#/scenario_weights out_of_range"),
            (#""scenario_weights":[1,-1]"#, "#/scenario_weights/1 out_of_range"),
            (#""scenario_weights":{"half_life":0}"#, "#/scenario_weights/half_life out_of_range"),
            (#""mean_estimator":{"method":"hist","d":0.9}"#, "#/mean_estimator/d contradiction"),
            (#""mean_estimator":{"method":"custom","values":{"A":1,"B":1}}"#, "#/mean_estimator/values/C missing"),
            (#""covariance_estimator":{"method":"ledoit2"}"#, "#/covariance_estimator/method unknown_value"),
            (
                #""covariance_estimator":{"method":"custom","values":{"values":[[1,0,0],[0.5,1,0],[0,0,1]]}}"#,
                "#/covariance_estimator/values/values/1/0 contradiction"
            ),
            (
                #""covariance_estimator":{"method":"custom","values":{"values":[[1,0],[0,1]]}}"#,
                "#/covariance_estimator/values/values length_mismatch"
            ),
            (#""constraints":{"tracking_error":0.1}"#, "#/constraints/benchmark missing"),
            (
                #""constraints":{"benchmark":{"A":1},"benchmark_returns":[1],"tracking_error":1}"#,
                "#/constraints/benchmark_returns contradiction"
            ),
            (#""constraints":{"benchmark":{"A":1}}"#, "#/constraints/benchmark contradiction"),
            (#""constraints":{"max_risk":{"CVAR":0.1}}"#, "#/constraints/max_risk/CVAR unknown_value"),
            (#""constraints":{"max_risk":{"VaR":0.1}}"#, "#/constraints/max_risk/VaR evaluation_only"),
            (#""constraints":{"max_risk":{"MV":-0.1}}"#, "#/constraints/max_risk/MV out_of_range"),
            (#""constraints":{"cardinality":0}"#, "#/constraints/cardinality out_of_range"),
            (#""constraints":{"cardinality":2.5}"#, "#/constraints/cardinality wrong_type"),
            (#""constraints":{"cardinality":{"groups":{"G":1}}}"#, "#/constraints/cardinality/groups/G unknown_member"),
            (#""constraints":{"min_position":0}"#, "#/constraints/min_position out_of_range"),
            (#""constraints":{"mutually_exclusive":[["A"]]}"#, "#/constraints/mutually_exclusive/0 bad_format"),
            (#""constraints":{"join":[["A","D"]]}"#, "#/constraints/join/0/1 unknown_value"),
            (#""constraints":{"effective_assets":0}"#, "#/constraints/effective_assets out_of_range"),
            (#""constraints":{"factor_exposure":{"M":{"max":1}}}"#, "#/factors missing"),
            (
                #""constraints":{"factor_exposure":{"N":{"max":1}}},"factors":{"assets":["M"]}"#,
                "#/constraints/factor_exposure/N unknown_value"
            ),
            (#""constraints":{"risk_contribution":{"A":{}}}"#, "#/constraints/risk_contribution/A/max missing"),
            (
                #""constraints":{"risk_contribution":{"A":{"min":0.5,"max":0.1}}}"#,
                "#/constraints/risk_contribution/A/min contradiction"
            ),
            (#""constraints":{"costs":{"linear":0.1}}"#, "#/constraints/costs/from missing"),
            (#""constraints":{"costs":{"from":{}}}"#, "#/constraints/costs/linear missing"),
            (#""constraints":{"costs":{"from":{},"linear":{"A":-0.1}}}"#, "#/constraints/costs/linear/A out_of_range"),
            (#""constraints":{"soft":{"tracking_error":1}}"#, "#/constraints/soft/tracking_error contradiction"),
            (#""constraints":{"soft":{"upper_bound":1}}"#, "#/constraints/soft/upper_bound unknown_value"),
        ])
    func pointer(members: String, expected: String) throws {
        #expect(try faults("{\"assets\":[\"A\",\"B\",\"C\"],\(members)}") == [expected])
    }

    @Test("views as text")
    func viewText() throws {
        let text =
            #"{"assets":["A","B","C"],"model":"EP","views":{"items":["A - 2 B >= 0.02","A >= B == C","CVaR(A) <= 0.03"]}}"#
        let items = try #require(try decode(text).views?.items)
        #expect(items.count == 4)
        #expect(
            items[0].weights == [.init("A", 1), .init("B", -2)] && items[0].sense == .atLeast && items[0].level == 0.02)
        #expect(items[1].weights == [.init("A", 1), .init("B", -1)] && items[1].sense == .atLeast)
        #expect(items[2].weights == [.init("B", 1), .init("C", -1)] && items[2].sense == .equal)
        #expect(items[3].statistic == .conditionalValueAtRisk && items[3].sense == .atMost && items[3].level == 0.03)
    }

    @Test("scenario weights are probabilities, whatever their scale")
    func probabilities() throws {
        let halving = try #require(ScenarioWeightsRequest.halfLife(2).probabilities(observations: 5))
        #expect(abs(halving.reduce(0, +) - 1) < 1e-15)
        #expect(abs(halving[4] / halving[2] - 2) < 1e-14 && abs(halving[4] / halving[3] - 2.0.squareRoot()) < 1e-14)
        #expect(ScenarioWeightsRequest.given([1e-300, 3e-300]).probabilities(observations: 2) == [0.25, 0.75])
        #expect(ScenarioWeightsRequest.given([1e308, 1e308]).probabilities(observations: 2) == [0.5, 0.5])
        #expect(ScenarioWeightsRequest.given([1]).probabilities(observations: 2) == nil)
    }

    @Test("lists of a number a period must fit the panel")
    func lengths() throws {
        let dates = [try #require(CalendarDate(iso: "2023-01-03")), try #require(CalendarDate(iso: "2023-01-04"))]
        func place(_ members: String) throws -> String? {
            try decode("{\"assets\":[\"A\"],\(members)}").lengthViolation(dates: dates)?.pointer.description
        }
        #expect(try place(#""scenario_weights":[1,2,3]"#) == "#/scenario_weights")
        #expect(try place(#""scenario_weights":[1,2]"#) == nil)
        #expect(try place(#""model":"OWA","owa_weights":[1]"#) == "#/owa_weights")
        let series =
            #""constraints":{"tracking_error":1,"benchmark_returns":{"dates":["2023-01-03","2023-01-05"],"values":[0,0]}}"#
        #expect(try place(series) == "#/constraints/benchmark_returns")
    }
}
