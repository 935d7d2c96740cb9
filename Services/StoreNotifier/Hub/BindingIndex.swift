import Realtime
import WireFormat

/// Which bindings may want a change: found by table and by `column = constant`, so that the cost of a change does not grow
/// with subscribers of other values.
struct BindingIndex {
    /// One binding of a subscription.
    struct Reference {
        let subscription: Subscription
        let index: Int
    }

    private struct Table {
        var byKey: [CompiledFilter.Key: [Reference]] = [:]
        /// The columns that keys use, with their families and the number of bindings.
        var columns: [String: (family: ColumnFamily, count: Int)] = [:]
        var others: [Reference] = []
        var isEmpty: Bool { byKey.isEmpty && others.isEmpty }
    }

    private var tables: [String: Table] = [:]
    private var anyTable: [Reference] = []

    private static func name(_ schema: String, _ table: String) -> String { "\(schema)\u{0}\(table)" }

    mutating func insert(_ subscription: Subscription) {
        for (index, bound) in subscription.bounds.enumerated() {
            let reference = Reference(subscription: subscription, index: index)
            guard let schema = bound.binding.schema, let table = bound.binding.table else {
                anyTable.append(reference)
                continue
            }
            let name = Self.name(schema, table)
            if let key = bound.filter?.key, let family = bound.filter?.keyFamily {
                tables[name, default: Table()].byKey[key, default: []].append(reference)
                tables[name]?.columns[key.column, default: (family, 0)].count += 1
            } else {
                tables[name, default: Table()].others.append(reference)
            }
        }
    }

    mutating func remove(_ subscription: Subscription) {
        for bound in subscription.bounds {
            guard let schema = bound.binding.schema, let table = bound.binding.table else {
                anyTable.removeAll { $0.subscription === subscription }
                continue
            }
            let name = Self.name(schema, table)
            if let key = bound.filter?.key {
                let before = tables[name]?.byKey[key]?.count ?? 0
                tables[name]?.byKey[key]?.removeAll { $0.subscription === subscription }
                let after = tables[name]?.byKey[key]?.count ?? 0
                if after == 0 { tables[name]?.byKey[key] = nil }
                tables[name]?.columns[key.column]?.count -= before - after
                if tables[name]?.columns[key.column]?.count == 0 { tables[name]?.columns[key.column] = nil }
            } else {
                tables[name]?.others.removeAll { $0.subscription === subscription }
            }
            if tables[name]?.isEmpty == true { tables[name] = nil }
        }
    }

    /// Bindings whose table and key fit; kind, tenant and the rest of the filter are still to be looked at.
    func candidates(_ change: inout EncodedChange) -> [Reference] {
        var found = anyTable
        guard let table = tables[Self.name(change.record.schema, change.record.table)] else { return found }
        found += table.others
        if !table.columns.isEmpty, let row = change.row {
            for (column, entry) in table.columns {
                guard let json = row[column], let value = entry.family.value(ofRow: json) else { continue }
                found += table.byKey[CompiledFilter.Key(column: column, value: value)] ?? []
            }
        }
        return found
    }
}
