//! Classifies errors of the HTTP/2, TLS and I/O libraries.

use std::{error::Error, io, iter};

use super::error::CallError;
use crate::user_path::reason_of;

/// Classifies the error of a stream or a connection that ended early.
pub(super) fn classify(error: &(dyn Error + 'static)) -> CallError {
    if let Some(violation) = describe_violation(error) {
        return CallError::ProtocolError(violation);
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
    let describe = |error: &(dyn Error + 'static)| match error.downcast_ref() {
        Some(io) => reason_of(io),
        None => error.to_string(),
    };
    last.map(describe).unwrap_or_default()
}

/// Describes the violation of TLS or HTTP/2 because of which this program ended the connection.
/// Returns `None` if the connection ended for another reason.
pub(super) fn describe_violation(error: &(dyn Error + 'static)) -> Option<String> {
    if find_io(error).is_some_and(|io| io.kind() == io::ErrorKind::InvalidData) {
        return Some(root_cause(error));
    }
    let http2 = find_source::<h2::Error>(error).filter(|h2| h2.is_library())?;
    let violation = match http2.reason()? {
        h2::Reason::PROTOCOL_ERROR => "invalid HTTP/2",
        h2::Reason::FRAME_SIZE_ERROR => "HTTP/2 frame of a wrong size",
        h2::Reason::FLOW_CONTROL_ERROR => "more data than HTTP/2 flow control allows",
        h2::Reason::COMPRESSION_ERROR => "HTTP/2 headers that cannot be decompressed",
        _ => return None,
    };
    Some(violation.to_owned())
}
