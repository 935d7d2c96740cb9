import Foundation

/// Which files of a folder are new or changed and no longer being written.
///
/// Size and modification time are polled: a file is taken up when two looks in a row find it the same, so that a copy in
/// progress is not read half. Works on every file system, network ones included.
struct FolderWatch {
    struct Signature: Equatable {
        var size: UInt64
        var modified: Date
    }

    let path: String
    let suffix: String
    /// What the last look saw.
    private var seen: [String: Signature] = [:]
    /// What was handed out.
    private var taken: [String: Signature] = [:]

    init(path: String, suffix: String) {
        self.path = path
        self.suffix = suffix
    }

    /// Looks once; returns the names of files to load, in order.
    mutating func look() -> [String] {
        let found = Self.files(path, suffix: suffix)
        var ready: [String] = []
        for (name, signature) in found where seen[name] == signature && taken[name] != signature {
            ready.append(name)
            taken[name] = signature
        }
        seen = found
        taken = taken.filter { found[$0.key] != nil }
        return ready.sorted()
    }

    /// The files are to be handed out again: their load failed for a reason that may pass.
    mutating func putBack(_ names: [String]) {
        for name in names { taken[name] = nil }
    }

    /// Regular files of the folder by name; hidden ones are left out. A folder that is not there is empty.
    static func files(_ path: String, suffix: String) -> [String: Signature] {
        var files: [String: Signature] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] {
            guard name.hasSuffix(suffix), !name.hasPrefix("."), let signature = signature("\(path)/\(name)") else {
                continue
            }
            files[name] = signature
        }
        return files
    }

    /// Nil for what is no regular file. Links are followed.
    static func signature(_ path: String) -> Signature? {
        let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: real),
            attributes[.type] as? FileAttributeType == .typeRegular, let size = attributes[.size] as? NSNumber,
            let modified = attributes[.modificationDate] as? Date
        else { return nil }
        return Signature(size: size.uint64Value, modified: modified)
    }
}
