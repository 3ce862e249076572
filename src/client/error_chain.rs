//! Searches an error from the HTTP/2, TLS or I/O libraries, and the sources of the error.

use std::{error::Error, io};

/// Returns the first error of type `E` among `error` and its sources, or `None` if no error has
/// that type.
pub(super) fn find_source<'e, E: Error + 'static>(
    mut error: Option<&'e (dyn Error + 'static)>,
) -> Option<&'e E> {
    while let Some(current) = error {
        if let Some(found) = current.downcast_ref() {
            return Some(found);
        }
        error = current.source();
    }
    None
}

/// Returns the message of an error, followed by the messages of its sources.
pub(super) fn messages(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        messages.push(error.to_string());
        source = error.source();
    }
    messages
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
    find_source(Some(error)).is_some_and(is_invalid_tls)
        || find_source(Some(error)).is_some_and(is_invalid_http2)
}
