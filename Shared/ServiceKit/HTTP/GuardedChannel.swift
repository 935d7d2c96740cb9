import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// A connection of HTTP/1.1 with its guards. They stand before the parts become Hummingbird's types: what is closed or answered there costs less.
struct GuardedChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        fileprivate let parts: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        fileprivate let presence: ClientPresence
        var channel: any Channel { parts.channel }
    }

    let responder: HTTPChannelHandler.Responder
    let guards: ServerGuards

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = guards.headBytes
            limits.maxHeaderListSize = guards.headBytes
            limits.maxHeaderFieldCount = guards.headFields
            let pipeline = channel.pipeline.syncOperations
            let (deadlines, presence) = (RequestDeadlines(guards), ClientPresence())
            try pipeline.addHandler(DepartureHandler(presence))
            // One request after the other is the async channel's to see to, and the error handler's part is that of the deadlines.
            try pipeline.addHandler(HTTPResponseEncoder())
            try pipeline.addHandler(
                ByteToMessageHandler(
                    HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: limits)))
            try pipeline.addHandler(deadlines)
            if let early = guards.early { try pipeline.addHandler(EarlyAnswers(early, deadlines: deadlines)) }
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try pipeline.addHandler(HTTPConnectionStateHandler(logger: logger))
            return Value(
                parts: try NIOAsyncChannel(
                    wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true)),
                presence: presence)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await ClientPresence.$current.withValue(value.presence) {
            await HTTP1Channel(responder: responder).handle(value: value.parts, logger: logger)
        }
    }
}
