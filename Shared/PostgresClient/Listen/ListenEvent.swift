/// A NOTIFY that reached this session.
public struct PostgresNotification: Sendable, Hashable {
    /// The channel.
    public let channel: String
    /// The payload, empty for none.
    public let payload: String
}

/// What a listener tells its reader.
public enum ListenEvent: Sendable, Hashable {
    /// LISTEN is in force on a new session. What was notified before is lost: read the tables now, then trust the notifications.
    case connected
    /// Somebody called NOTIFY.
    case notification(channel: String, payload: String)
    /// The session is gone; the next event is `connected`, after a back-off.
    case disconnected
}
