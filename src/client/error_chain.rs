//! Searches an error from the HTTP/2, TLS or I/O libraries, and the sources of the error.

use std::{error::Error, io, iter};

/// Returns an error and its sources.
pub(super) fn chain<'e>(
    error: Option<&'e (dyn Error + 'static)>,
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(error, |&error| error.source())
}

/// Returns the first error of type `E` among `error` and its sources, or `None` if no error has
/// that type.
pub(super) fn find_source<'e, E: Error + 'static>(
    error: Option<&'e (dyn Error + 'static)>,
) -> Option<&'e E> {
    chain(error).find_map(|error| error.downcast_ref())
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
    find_source(Some(error)).is_some_and(is_invalid_tls)
        || find_source(Some(error)).is_some_and(is_invalid_http2)
}
