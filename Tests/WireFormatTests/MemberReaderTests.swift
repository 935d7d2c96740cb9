import Testing
import WireFormat

@Suite("Member reader")
struct MemberReaderTests {
    private enum Colour: String, CaseIterable { case red = "Red", green = "Green" }

    @Test("reads members by type")
    func reads() throws {
        let reader = MemberReader([
            "s": "text", "b": true, "d": 1.5, "i": 3, "e": "Red", "date": "2023-01-03", "list": ["a", "b"],
            "map": ["x": 0.25, "y": 0.75], "inner": ["k": 1], "gone": nil, "money": "12.50",
        ])
        #expect(reader.string("s") == "text")
        #expect(reader.bool("b") == true)
        #expect(reader.double("d") == 1.5)
        #expect(reader.int("i") == 3)
        #expect(reader.choice("e", of: Colour.self) == .red)
        #expect(reader.date("date") == CalendarDate(year: 2023, month: 1, day: 3))
        #expect(reader.strings("list") == ["a", "b"])
        #expect(reader.numbers("map")?.map { $0.value } == [0.25, 0.75])
        let inner = try #require(reader.object("inner"))
        #expect(inner.int("k") == 1)
        inner.finish()
        #expect(reader.string("gone") == nil)
        #expect(reader.decimal("money")?.text == "12.50")
        try reader.finishAndThrow()
    }

    @Test("names each fault with its pointer, code and the nearest known name")
    func faults() {
        let reader = MemberReader([
            "assets": ["A", 1], "alpha": 1.5, "risk_mesure": "MV", "objective": "Redd", "date": "2023-02-30",
            "constraints": ["upper_bond": 1], "count": 2.5, "huge": 1,
        ])
        _ = reader.strings("assets")
        _ = reader.double("alpha", in: .openUnit)
        _ = reader.string("risk_measure", required: true)
        _ = reader.choice("objective", of: Colour.self)
        _ = reader.date("date")
        let constraints = reader.object("constraints")
        _ = constraints?.double("upper_bound")
        constraints?.finish()
        _ = reader.int("count")
        _ = reader.string("huge")
        do {
            try reader.finishAndThrow()
            Issue.record("nothing was thrown")
        } catch {
            let found = error.errors.map { "\($0.pointer) \($0.code.text)" }
            #expect(
                found == [
                    "#/assets/1 wrong_type", "#/alpha out_of_range", "#/risk_measure missing",
                    "#/objective unknown_value",
                    "#/date bad_date", "#/constraints/upper_bond unknown_member", "#/count wrong_type",
                    "#/huge wrong_type",
                    "#/risk_mesure unknown_member",
                ])
            #expect(error.errors[3].detail.contains("Did you mean Red?"))
            #expect(error.errors[5].detail.contains("Did you mean upper_bound?"))
            #expect(error.errors[8].detail.contains("Did you mean risk_measure?"))
            #expect(error.status == 422)
            #expect(error.code == "REQ-101")
            #expect(error.class == .request)
        }
    }

    @Test("a document that is no object is one fault")
    func notAnObject() {
        let reader = MemberReader([1, 2])
        #expect(!reader.isValid)
        #expect(throws: Problem.self) { try reader.finishAndThrow() }
    }

    @Test("numbers beyond the range of Double are refused, not infinite")
    func overflow() throws {
        let reader = MemberReader(try StrictJSON.parse(#"{"x":1e400}"#))
        #expect(reader.double("x") == nil)
        #expect(!reader.isValid)
    }
}

@Suite("Problem details")
struct ProblemTests {
    @Test("the body has RFC 9457's members and ours")
    func body() throws {
        let problem = Problem(
            .infeasible, "Minimum of group Tech exceeds what its members may hold.",
            errors: [Violation(JSONPointer(["constraints"]), .other("above_member_caps"), "x", limit: 0.6, value: 0.7)],
            conflict: ["group_constraints.Tech.min", "upper_bound"],
            relaxation: [.init(constraint: "group_constraints.Tech.min", from: 0.7, to: 0.6)])
        let json = problem.json(requestID: "req-12345678")
        #expect(json["status"] == 422)
        #expect(json["code"] == "OPT-101")
        #expect(json["class"] == "optimization")
        #expect(json["request_id"] == "req-12345678")
        #expect(json["conflict"]?[1] == "upper_bound")
        #expect(json["relaxation"]?[0]?["to"] == 0.6)
        #expect(json["errors"]?[0]?["pointer"] == "#/constraints")
        #expect(json["errors"]?[0]?["limit"] == 0.6)
        #expect(json["retryable"] == false)
    }

    @Test("a hostile body makes a short answer")
    func short() {
        let long = String(repeating: "x", count: 100_000)
        let violations = (0..<500).map { Violation(JSONPointer(["m\($0)"]), .unknownMember, long) }
        let problem = Problem(violations: violations)
        #expect((problem?.json(requestID: nil).bytes().count ?? .max) < 16_384)
        // Names stand in pointers and in constraints too.
        let named = Problem(
            .infeasible, long, errors: [Violation(JSONPointer(["returns", "values", long]), .badFormat, long)],
            conflict: ["group_constraints.\(long).min", "group_constraints.\(long).max"],
            relaxation: [.init(constraint: "group_constraints.\(long).min", from: 0.7, to: 0.6)])
        #expect(named.json(requestID: nil).bytes().count < 16_384)
    }

    @Test("every code has a status of its class")
    func codes() {
        for code in ProblemCode.allCases {
            #expect((400...599).contains(code.status))
            #expect((code.status >= 500) == (code.problemClass == .system), "\(code)")
            #expect(!code.title.isEmpty)
        }
        #expect(Set(ProblemCode.allCases.map { $0.rawValue }).count == ProblemCode.allCases.count)
    }

    @Test("syntax errors become their codes")
    func syntax() {
        func code(_ text: String) -> String? {
            do {
                _ = try StrictJSON.parse(text)
                return nil
            } catch { return Problem(error).code }
        }
        #expect(code("{") == "REQ-001")
        #expect(code("\u{feff}{}") == "REQ-002")
        #expect(code(#"{"a":1,"a":1}"#) == "REQ-003")
        #expect(code(String(repeating: "[", count: 99)) == "REQ-004")
        #expect(code(#""\u0000""#) == "REQ-005")
    }
}
