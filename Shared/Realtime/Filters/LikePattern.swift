/// SQL LIKE: `%` any run, `_` any one character, `\` makes the next one literal.
struct LikePattern: Sendable {
    private enum Element: Sendable, Equatable {
        case run
        case any
        case scalar(Unicode.Scalar)
    }

    private let elements: [Element]
    private let ignoresCase: Bool

    init(_ text: String, ignoringCase: Bool) {
        ignoresCase = ignoringCase
        var (elements, isEscaped) = ([Element](), false)
        for scalar in (ignoringCase ? text.lowercased() : text).unicodeScalars {
            if isEscaped {
                elements.append(.scalar(scalar))
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "%" {
                if elements.last != .run { elements.append(.run) }
            } else {
                elements.append(scalar == "_" ? .any : .scalar(scalar))
            }
        }
        self.elements = elements
    }

    /// At most pattern x text steps: after a failure only the last run is lengthened.
    func matches(_ text: String) -> Bool {
        let text = Array((ignoresCase ? text.lowercased() : text).unicodeScalars)
        var (at, element) = (0, 0)
        var retry: (at: Int, element: Int)?
        while at < text.count {
            if element < elements.count, elements[element] == .run {
                retry = (at, element)
                element += 1
            } else if element < elements.count, elements[element] == .any || elements[element] == .scalar(text[at]) {
                at += 1
                element += 1
            } else if let last = retry {
                retry = (last.at + 1, last.element)
                at = last.at + 1
                element = last.element + 1
            } else {
                return false
            }
        }
        while element < elements.count, elements[element] == .run { element += 1 }
        return element == elements.count
    }
}
