//! Classifies errors of the HTTP/2, TLS and I/O libraries.

use std::{error::Error, io, iter};

use super::error::CallError;

/// Classifies the error of a stream or a connection that ended early.
pub(super) fn classify(error: &(dyn Error + 'static)) -> CallError {
    if is_protocol_error(error) {
        return CallError::ProtocolError(root_cause(error));
    }
    if let Some(h2) = find_source::<h2::Error>(error)
        && let Some(reason) = h2.reason()
    {
        if h2.is_remote() && h2.is_reset() {
            return CallError::StreamReset(reason);
        }
        // Requests that the server may have processed stay open after GOAWAY.
        if h2.is_remote() && h2.is_go_away() {
            return CallError::GoAway {
                reason,
                is_outcome_unknown: false,
            };
        }
        if h2.is_library() && reason == h2::Reason::ENHANCE_YOUR_CALM {
            return CallError::TooManySmallFrames;
        }
    }
    let is_unsent = |error: &hyper::Error| error.is_canceled() || error.is_closed();
    if find_source(error).is_some_and(is_unsent) {
        return CallError::NotSent {
            cause: String::new(),
            goaway: None,
        };
    }
    CallError::ConnectionLost(match find_io(error) {
        Some(io) if is_closed(io) => "server closed the connection".to_owned(),
        _ => root_cause(error),
    })
}

/// Returns whether the peer ended the connection without a reason.
pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe
    )
}

/// Returns the first I/O error among `error` and its sources.
pub(super) fn find_io<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e io::Error> {
    find_source(error).or_else(|| find_source::<h2::Error>(error)?.get_io())
}

/// Returns an error and its sources.
fn chain<'e>(
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
    find_io(error).is_some_and(is_invalid_tls) || find_source(error).is_some_and(is_invalid_http2)
}
