/// Reads the members of a JSON object by name and type, and keeps a list of everything that is wrong.
///
/// A reader returns nil for a member that is absent, null or wrong; what is wrong is recorded, so that one answer names all
/// faults. `finish()` then refuses every member that nobody asked for, with the nearest known name.
/// ```swift
/// let reader = MemberReader(document)
/// let assets = reader.strings("assets", required: true)
/// let constraints = reader.object("constraints")
/// ...
/// constraints?.finish()
/// try reader.finishAndThrow()
/// ```
public final class MemberReader {
    /// The faults of a whole document: a reader shares it with the readers of its inner objects.
    public final class Faults {
        public private(set) var violations: [Violation] = []
        public init() {}
        public func record(_ violation: Violation) { violations.append(violation) }
    }

    public let object: JSONObject
    public let pointer: JSONPointer
    public let faults: Faults
    private var known: [String] = []

    /// The members of a document; a document that is no object is a fault and reads as empty.
    public convenience init(_ document: JSONValue, at pointer: JSONPointer = .root, faults: Faults = Faults()) {
        if case .object(let object) = document {
            self.init(object, at: pointer, faults: faults)
        } else {
            self.init(JSONObject(), at: pointer, faults: faults)
            faults.record(Violation(pointer, .wrongType, "Expected an object, found \(document.kindInWords)."))
        }
    }

    public init(_ object: JSONObject, at pointer: JSONPointer = .root, faults: Faults = Faults()) {
        self.object = object
        self.pointer = pointer
        self.faults = faults
    }

    /// Whether nothing has been recorded so far, in this or any reader that shares the list.
    public var isValid: Bool { faults.violations.isEmpty }

    // MARK: Reading

    /// The member as it is; nil where it is absent or null. The name counts as known.
    public func value(_ name: String, required: Bool = false) -> JSONValue? {
        known.append(name)
        if let value = object[name], !value.isNull { return value }
        if required { fault(name, .missing, "The member \(name) is required.") }
        return nil
    }

    /// Whether the member is there and not null. The name counts as known.
    public func has(_ name: String) -> Bool { value(name) != nil }

    public func string(_ name: String, required: Bool = false, maximumLength: Int = 4096) -> String? {
        guard let value = value(name, required: required) else { return nil }
        return string(value, at: pointer.appending(name), maximumLength: maximumLength)
    }

    public func bool(_ name: String, required: Bool = false) -> Bool? {
        guard let value = value(name, required: required) else { return nil }
        if let bool = value.boolValue { return bool }
        wrongType(value, at: pointer.appending(name), expected: "true or false")
        return nil
    }

    /// A finite number within `range`.
    public func double(_ name: String, required: Bool = false, in range: Interval = .all) -> Double? {
        guard let value = value(name, required: required) else { return nil }
        return double(value, at: pointer.appending(name), in: range)
    }

    /// An integral number within `range`.
    public func int(_ name: String, required: Bool = false, in range: ClosedRange<Int>? = nil) -> Int? {
        guard let value = value(name, required: required) else { return nil }
        return int(value, at: pointer.appending(name), in: range)
    }

    /// One of the raw values of a closed enumeration.
    public func choice<Choice: RawRepresentable & CaseIterable>(
        _ name: String, of type: Choice.Type, required: Bool = false
    ) -> Choice? where Choice.RawValue == String {
        guard let text = string(name, required: required) else { return nil }
        if let choice = type.init(rawValue: text) { return choice }
        fault(name, .unknownValue, Self.unknownValue(text, known: type.allCases.map { $0.rawValue }))
        return nil
    }

    /// A date that exists, as `2023-01-03`.
    public func date(_ name: String, required: Bool = false) -> CalendarDate? {
        guard let value = value(name, required: required) else { return nil }
        return date(value, at: pointer.appending(name))
    }

    /// An instant with its offset, as `2023-05-01T12:00:00Z`.
    public func timestamp(_ name: String, required: Bool = false) -> UTCTimestamp? {
        guard let text = string(name, required: required) else { return nil }
        if let timestamp = UTCTimestamp(iso: text) { return timestamp }
        fault(name, .badDate, "\"\(Problem.echo(text))\" is not a time like 2023-05-01T12:00:00Z.")
        return nil
    }

    /// An inner object, with a reader that shares this one's list of faults.
    public func object(_ name: String, required: Bool = false) -> MemberReader? {
        guard let value = value(name, required: required) else { return nil }
        if case .object(let inner) = value {
            return MemberReader(inner, at: pointer.appending(name), faults: faults)
        }
        wrongType(value, at: pointer.appending(name), expected: "an object")
        return nil
    }

    /// The elements of an array with their places.
    public func elements(
        _ name: String, required: Bool = false, count: ClosedRange<Int>? = nil
    ) -> [(pointer: JSONPointer, value: JSONValue)]? {
        guard let value = value(name, required: required) else { return nil }
        let place = pointer.appending(name)
        guard let array = value.arrayValue else {
            wrongType(value, at: place, expected: "an array")
            return nil
        }
        if let count, !count.contains(array.count) {
            let detail = "Expected \(count.lowerBound) to \(count.upperBound) elements, found \(array.count)."
            faults.record(Violation(place, .outOfRange, detail, value: Double(array.count)))
            return nil
        }
        return array.enumerated().map { (place.appending($0.offset), $0.element) }
    }

    /// An array of strings, each at most 256 bytes.
    public func strings(_ name: String, required: Bool = false, count: ClosedRange<Int>? = nil) -> [String]? {
        guard let elements = elements(name, required: required, count: count) else { return nil }
        let texts = elements.map { string($0.value, at: $0.pointer, maximumLength: 256) }
        let read = texts.compactMap { $0 }
        return read.count == texts.count ? read : nil
    }

    /// An array of finite numbers.
    public func doubles(_ name: String, required: Bool = false, in range: Interval = .all) -> [Double]? {
        guard let elements = elements(name, required: required) else { return nil }
        let numbers = elements.map { double($0.value, at: $0.pointer, in: range) }
        let read = numbers.compactMap { $0 }
        return read.count == numbers.count ? read : nil
    }

    /// An object of finite numbers, as `{"AAPL": 0.1}`, in its order.
    public func numbers(
        _ name: String, required: Bool = false, in range: Interval = .all
    ) -> [(key: String, value: Double)]? {
        guard let inner = object(name, required: required) else { return nil }
        var read: [(key: String, value: Double)] = []
        for member in inner.object.members {
            if let number = double(member.value, at: inner.pointer.appending(member.key), in: range) {
                read.append((member.key, number))
            }
        }
        return read.count == inner.object.count ? read : nil
    }

    // MARK: Values by themselves, e.g. elements of arrays

    public func string(_ value: JSONValue, at place: JSONPointer, maximumLength: Int = 4096) -> String? {
        guard let text = value.stringValue else {
            wrongType(value, at: place, expected: "a string")
            return nil
        }
        guard text.utf8.count <= maximumLength else {
            faults.record(
                Violation(
                    place, .outOfRange, "The text is longer than \(maximumLength) bytes.", limit: Double(maximumLength),
                    value: Double(text.utf8.count)))
            return nil
        }
        return text
    }

    public func double(_ value: JSONValue, at place: JSONPointer, in range: Interval = .all) -> Double? {
        guard let number = value.numberValue else {
            wrongType(value, at: place, expected: "a number")
            return nil
        }
        guard let double = number.double else {
            faults.record(Violation(place, .outOfRange, "The number \(Problem.echo(number.text)) is too large."))
            return nil
        }
        if let violation = range.violation(of: double, at: place) {
            faults.record(violation)
            return nil
        }
        return double
    }

    public func int(_ value: JSONValue, at place: JSONPointer, in range: ClosedRange<Int>? = nil) -> Int? {
        guard let number = value.numberValue, let int = number.int else {
            let found = value.numberValue.map { "\(Problem.echo($0.text))" } ?? value.kindInWords
            faults.record(Violation(place, .wrongType, "Expected a whole number, found \(found)."))
            return nil
        }
        if let range, !range.contains(int) {
            let detail = "\(int) is not between \(range.lowerBound) and \(range.upperBound)."
            faults.record(Violation(place, .outOfRange, detail, value: Double(int)))
            return nil
        }
        return int
    }

    public func date(_ value: JSONValue, at place: JSONPointer) -> CalendarDate? {
        guard let text = string(value, at: place) else { return nil }
        if let date = CalendarDate(iso: text) { return date }
        faults.record(Violation(place, .badDate, "\"\(Problem.echo(text))\" is not a date like 2023-01-03."))
        return nil
    }

    // MARK: Faults

    /// Records that the member `name` breaks a rule.
    public func fault(_ name: String, _ code: Violation.Code, _ detail: String) {
        faults.record(Violation(pointer.appending(name), code, detail))
    }

    private func wrongType(_ value: JSONValue, at place: JSONPointer, expected: String) {
        faults.record(Violation(place, .wrongType, "Expected \(expected), found \(value.kindInWords)."))
    }

    /// Refuses every member that was not asked for. Call it once, after the last read.
    public func finish() {
        for member in object.members where !known.contains(where: { NameIndex.sameBytes($0, member.key) }) {
            // An answer shows no more than these, and looking for the nearest name is not free.
            guard faults.violations.count < Problem.mostErrors else { return }
            faults.record(
                Violation(pointer.appending(member.key), .unknownMember, Self.unknownMember(member.key, known: known)))
        }
    }

    /// `finish()`, then the problem of everything that was recorded, if anything was.
    public func finishAndThrow() throws(Problem) {
        finish()
        if let problem = Problem(violations: faults.violations) { throw problem }
    }

    static func unknownMember(_ name: String, known: [String]) -> String {
        let nearest = NearestName.of(name, among: known).map { " Did you mean \($0)?" } ?? ""
        return "The member \"\(Problem.echo(name))\" is not known.\(nearest)"
    }

    /// A sentence for a text that is not one of the known values.
    public static func unknownValue(_ text: String, known: [String]) -> String {
        let nearest = NearestName.of(text, among: known).map { " Did you mean \($0)?" }
        return
            "\"\(Problem.echo(text))\" is not known.\(nearest ?? " Known: \(known.prefix(40).joined(separator: ", ")).")"
    }
}

/// A range of numbers with open or closed ends.
public struct Interval: Sendable {
    public var lower: Double
    public var upper: Double
    public var lowerOpen = false
    public var upperOpen = false

    public init(lower: Double, upper: Double, lowerOpen: Bool = false, upperOpen: Bool = false) {
        self.lower = lower
        self.upper = upper
        self.lowerOpen = lowerOpen
        self.upperOpen = upperOpen
    }

    /// Every finite number.
    public static let all = Interval(lower: -.infinity, upper: .infinity)
    /// Zero and above.
    public static let nonnegative = Interval(lower: 0, upper: .infinity)
    /// Above zero.
    public static let positive = Interval(lower: 0, upper: .infinity, lowerOpen: true)
    /// Strictly between zero and one: tail probabilities.
    public static let openUnit = Interval(lower: 0, upper: 1, lowerOpen: true, upperOpen: true)
    /// Zero to one, both included.
    public static let unit = Interval(lower: 0, upper: 1)

    func violation(of value: Double, at place: JSONPointer) -> Violation? {
        if value < lower || (lowerOpen && value == lower) {
            return Violation(
                place, .outOfRange, "\(value) is not \(lowerOpen ? "above" : "at least") \(lower).", limit: lower,
                value: value)
        }
        if value > upper || (upperOpen && value == upper) {
            return Violation(
                place, .outOfRange, "\(value) is not \(upperOpen ? "below" : "at most") \(upper).", limit: upper,
                value: value)
        }
        return nil
    }
}
