/// A regular expression for `match` and `imatch`, found anywhere in the text as with PostgreSQL's `~`.
///
/// Literals, `.`, classes with ranges and negation, `\d \w \s` and their opposites, `^ $`, groups, `|`, `* + ? {m,n}`.
/// Anything else is refused when it is compiled. Simulated state by state (Thompson 1968), so the time is pattern x text:
/// no pattern of a client can stop the server.
struct RegularPattern: Sendable {
    private enum Step: Sendable {
        case one(CharacterTest)
        case split(Int, Int)
        case jump(Int)
        case atStart
        case atEnd
        case match
    }

    struct CharacterTest: Sendable {
        var ranges: [ClosedRange<UInt32>]
        var isNegated = false

        func accepts(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    private indirect enum Node {
        case empty
        case one(CharacterTest)
        case sequence([Node])
        case either([Node])
        case repeated(Node, Int, Int?)
        case atStart
        case atEnd
    }

    private static let sizeLimit = 2000

    private let steps: [Step]
    private let ignoresCase: Bool

    init?(_ text: String, ignoringCase: Bool) {
        ignoresCase = ignoringCase
        var parser = Parser(scalars: Array((ignoringCase ? Self.lowercased(text) : text).unicodeScalars))
        guard let node = parser.alternatives(depth: 0), parser.isAtEnd else { return nil }
        var steps: [Step] = []
        guard Self.emit(node, into: &steps) else { return nil }
        steps.append(.match)
        self.steps = steps
    }

    /// Lower case, but `\D`, `\W`, `\S` keep their meaning.
    private static func lowercased(_ pattern: String) -> String {
        var (result, isEscaped) = ("", false)
        for character in pattern {
            result += isEscaped ? String(character) : character.lowercased()
            isEscaped = !isEscaped && character == "\\"
        }
        return result
    }

    func matches(_ text: String) -> Bool {
        let scalars = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
        var current: [Int] = []
        for at in 0...scalars.count {
            var seen = [Bool](repeating: false, count: steps.count)
            var next: [Int] = []
            var found = false
            for state in current + [0] {
                follow(state, at: at, count: scalars.count, seen: &seen, into: &next, found: &found)
            }
            if found { return true }
            guard at < scalars.count else { break }
            current = next.compactMap { state in
                guard case .one(let test) = steps[state], test.accepts(scalars[at]) else { return nil }
                return state + 1
            }
        }
        return false
    }

    private func follow(
        _ start: Int, at: Int, count: Int, seen: inout [Bool], into next: inout [Int], found: inout Bool
    ) {
        var stack = [start]
        while let state = stack.popLast() {
            guard !seen[state] else { continue }
            seen[state] = true
            switch steps[state] {
            case .match: found = true
            case .jump(let target): stack.append(target)
            case .split(let first, let second): stack += [first, second]
            case .atStart: if at == 0 { stack.append(state + 1) }
            case .atEnd: if at == count { stack.append(state + 1) }
            case .one: next.append(state)
            }
        }
    }

    private static func emit(_ node: Node, into steps: inout [Step]) -> Bool {
        guard steps.count < sizeLimit else { return false }
        switch node {
        case .empty: break
        case .one(let test): steps.append(.one(test))
        case .atStart: steps.append(.atStart)
        case .atEnd: steps.append(.atEnd)
        case .sequence(let nodes):
            for node in nodes where !emit(node, into: &steps) { return false }
        case .either(let nodes):
            var exits: [Int] = []
            for (index, node) in nodes.enumerated() {
                let isLast = index == nodes.count - 1
                let split = steps.count
                if !isLast { steps.append(.split(split + 1, 0)) }
                guard emit(node, into: &steps) else { return false }
                if !isLast {
                    exits.append(steps.count)
                    steps.append(.jump(0))
                    steps[split] = .split(split + 1, steps.count)
                }
            }
            for exit in exits { steps[exit] = .jump(steps.count) }
        case .repeated(let node, let low, let high):
            for _ in 0..<low where !emit(node, into: &steps) { return false }
            if let high {
                var splits: [Int] = []
                for _ in low..<max(low, high) {
                    splits.append(steps.count)
                    steps.append(.split(steps.count + 1, 0))
                    guard emit(node, into: &steps) else { return false }
                }
                for split in splits { steps[split] = .split(split + 1, steps.count) }
            } else {
                let split = steps.count
                steps.append(.split(split + 1, 0))
                guard emit(node, into: &steps) else { return false }
                steps.append(.jump(split))
                steps[split] = .split(split + 1, steps.count)
            }
        }
        return true
    }

    private struct Parser {
        let scalars: [Unicode.Scalar]
        var at = 0

        var isAtEnd: Bool { at == scalars.count }
        var peek: Unicode.Scalar? { at < scalars.count ? scalars[at] : nil }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard peek == scalar else { return false }
            at += 1
            return true
        }

        mutating func alternatives(depth: Int) -> Node? {
            guard depth <= 20 else { return nil }
            var branches: [Node] = []
            repeat {
                var items: [Node] = []
                while let scalar = peek, scalar != "|", scalar != ")" {
                    guard let item = repeated(depth: depth) else { return nil }
                    items.append(item)
                }
                branches.append(items.isEmpty ? .empty : .sequence(items))
            } while take("|")
            return branches.count == 1 ? branches[0] : .either(branches)
        }

        mutating func repeated(depth: Int) -> Node? {
            guard let node = atom(depth: depth) else { return nil }
            let result: Node
            switch peek {
            case "*": (result, at) = (.repeated(node, 0, nil), at + 1)
            case "+": (result, at) = (.repeated(node, 1, nil), at + 1)
            case "?": (result, at) = (.repeated(node, 0, 1), at + 1)
            case "{":
                at += 1
                guard let low = number() else { return nil }
                var high: Int? = low
                if take(",") { high = peek == "}" ? nil : number() ?? -1 }
                guard take("}"), high.map({ $0 >= low && $0 <= 255 }) ?? true, low <= 255 else { return nil }
                result = .repeated(node, low, high)
            default: return node
            }
            // Lazy and possessive forms match the same texts or are refused; only "whether" is asked here.
            _ = take("?")
            if let next = peek, "*+?{".unicodeScalars.contains(next) { return nil }
            return result
        }

        mutating func number() -> Int? {
            var value: Int?
            while let scalar = peek, ("0"..."9").contains(scalar), (value ?? 0) < 1000 {
                value = (value ?? 0) * 10 + Int(scalar.value - 48)
                at += 1
            }
            return value
        }

        mutating func atom(depth: Int) -> Node? {
            guard let scalar = peek else { return nil }
            at += 1
            switch scalar {
            case "(":
                if take("?") { guard take(":") else { return nil } }
                guard let node = alternatives(depth: depth + 1), take(")") else { return nil }
                return node
            case "[": return characterClass().map { .one($0) }
            case ".": return .one(CharacterTest(ranges: [], isNegated: true))
            case "^": return .atStart
            case "$": return .atEnd
            case "\\": return escape().map { .one($0) }
            case "*", "+", "?", "{": return nil
            default: return .one(CharacterTest(ranges: [scalar.value...scalar.value]))
            }
        }

        mutating func escape() -> CharacterTest? {
            guard let scalar = peek else { return nil }
            at += 1
            if let named = Self.named(scalar) { return named }
            let isWord = scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
            switch scalar {
            case "n": return CharacterTest(ranges: [10...10])
            case "t": return CharacterTest(ranges: [9...9])
            case "r": return CharacterTest(ranges: [13...13])
            default: return isWord ? nil : CharacterTest(ranges: [scalar.value...scalar.value])
            }
        }

        static func named(_ scalar: Unicode.Scalar) -> CharacterTest? {
            let (digit, space): ([ClosedRange<UInt32>], [ClosedRange<UInt32>]) = ([48...57], [9...13, 32...32])
            let word = digit + [65...90, 95...95, 97...122]
            switch scalar {
            case "d": return CharacterTest(ranges: digit)
            case "D": return CharacterTest(ranges: digit, isNegated: true)
            case "w": return CharacterTest(ranges: word)
            case "W": return CharacterTest(ranges: word, isNegated: true)
            case "s": return CharacterTest(ranges: space)
            case "S": return CharacterTest(ranges: space, isNegated: true)
            default: return nil
            }
        }

        mutating func characterClass() -> CharacterTest? {
            var test = CharacterTest(ranges: [], isNegated: take("^"))
            var isFirst = true
            while let scalar = peek, scalar != "]" || isFirst {
                isFirst = false
                at += 1
                if scalar == "[", let next = peek, ":.=".unicodeScalars.contains(next) { return nil }
                var low = scalar
                if scalar == "\\" {
                    guard let test1 = escape(), !test1.isNegated else { return nil }
                    guard test1.ranges.count == 1, test1.ranges[0].count == 1,
                        let single = Unicode.Scalar(test1.ranges[0].lowerBound)
                    else {
                        test.ranges += test1.ranges
                        continue
                    }
                    low = single
                }
                if peek == "-", at + 1 < scalars.count, scalars[at + 1] != "]" {
                    let high = scalars[at + 1]
                    guard high != "\\", high >= low else { return nil }
                    at += 2
                    test.ranges.append(low.value...high.value)
                } else {
                    test.ranges.append(low.value...low.value)
                }
            }
            return take("]") ? test : nil
        }
    }
}
