import ServiceKit
import Testing

@Suite("Failpoints")
struct FailpointTests {
    @Test(
        "reads its grammar",
        arguments: [
            "a=crash", "a.b=throw@3", "a=sleep(20)|p0.1", "a=lose-reply@2|p0.5", "a=stop", "a=trap",
            "a=drop-connection",
        ])
    func reads(text: String) {
        #expect(Failpoints.Rule(text) != nil)
    }

    @Test(
        "refuses the rest",
        arguments: ["", "a", "=crash", "a=explode", "a=crash@0", "a=crash@x", "a=sleep(x)", "a=throw|p2"])
    func refuses(text: String) {
        #expect(Failpoints.Rule(text) == nil)
    }

    @Test("throws at the n-th hit only")
    func occurrence() async throws {
        let points = Failpoints("order.after_submit=throw@3;other=lose-reply")
        try await points.hit("order.after_submit")
        try await points.hit("order.after_submit")
        await #expect(throws: FailpointError(name: "order.after_submit", kind: .thrown)) {
            try await points.hit("order.after_submit")
        }
        try await points.hit("order.after_submit")
        await #expect(throws: FailpointError(name: "other", kind: .loseReply)) { try await points.hit("other") }
        #expect(points.hits == ["order.after_submit": 4, "other": 1])
    }

    @Test("the same seed fails at the same hits")
    func seeded() async {
        func failures(_ seed: UInt64) async -> [Int] {
            let points = Failpoints("x=throw|p0.3", seed: seed)
            var failed: [Int] = []
            for n in 0..<200 {
                do { try await points.hit("x") } catch { failed.append(n) }
            }
            return failed
        }
        let first = await failures(7)
        #expect(await failures(7) == first)
        #expect(await failures(8) != first)
        #expect((20...100).contains(first.count))
    }

    @Test("is off unless the environment says otherwise")
    func off() async throws {
        try await failpoint("tests.never")
        #expect(Failpoints.process.hits["tests.never"] == nil)
    }
}
