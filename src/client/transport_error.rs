//! Classifies errors of the HTTP/2, TLS and I/O libraries.

use std::{error::Error, io, iter};

use super::error::CallError;

/// Classifies the error of a stream or a connection that ended early. Returns `None` if neither the
/// error nor its sources come from the HTTP/2 or TLS connection.
pub(super) fn classify(error: &(dyn Error + 'static)) -> Option<CallError> {
    if is_protocol_error(error) {
        return Some(CallError::ProtocolError(root_cause(error)));
    }
    if let Some(h2) = find_source::<h2::Error>(error) {
        return Some(match h2.reason() {
            Some(reason) if h2.is_reset() && h2.is_remote() => CallError::StreamReset(reason),
            Some(reason) if h2.is_go_away() && h2.is_remote() => CallError::GoAway(reason),
            _ => CallError::ConnectionLost(h2.to_string()),
        });
    }
    find_source::<hyper::Error>(error).map(|hyper| {
        if hyper.is_canceled() || hyper.is_closed() {
            CallError::NotSent {
                cause: root_cause(hyper),
                has_goaway: false,
            }
        } else {
            CallError::ConnectionLost(root_cause(hyper))
        }
    })
}

/// Classifies the error of a connection that ended before a call began on that connection.
pub(super) fn classify_unready(error: &(dyn Error + 'static)) -> CallError {
    classify(error).unwrap_or_else(|| CallError::ConnectionLost(root_cause(error)))
}

/// Returns an error and its sources.
pub(super) fn chain<'e>(
    error: Option<&'e (dyn Error + 'static)>,
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(error, |&error| error.source())
}

/// Returns the first error of type `E` among `error` and its sources.
pub(super) fn find_source<'e, E: Error + 'static>(
    error: &'e (dyn Error + 'static),
) -> Option<&'e E> {
    chain(Some(error)).find_map(|error| error.downcast_ref())
}

/// Returns the message of the last source of an error, which is the most specific one.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let last = chain(Some(error)).last();
    last.map(ToString::to_string).unwrap_or_default()
}

/// Returns whether this program ended the connection because the received bytes are not valid TLS
/// or HTTP/2.
pub(super) fn is_protocol_error(error: &(dyn Error + 'static)) -> bool {
    let is_invalid_tls = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
    let is_invalid_http2 = |error: &h2::Error| {
        error.is_library()
            && matches!(
                error.reason(),
                Some(
                    h2::Reason::PROTOCOL_ERROR
                        | h2::Reason::FRAME_SIZE_ERROR
                        | h2::Reason::FLOW_CONTROL_ERROR
                        | h2::Reason::COMPRESSION_ERROR
                )
            )
    };
    find_source(error).is_some_and(is_invalid_tls)
        || find_source(error).is_some_and(is_invalid_http2)
}
