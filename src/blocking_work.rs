//! Blocking work beside the Tokio runtime. Tokio's own pool panics if the system starts no thread.

use std::{io, thread};

use tokio::sync::oneshot;

/// Runs `work` to its end in a new thread, whether or not the result is awaited. The error is that
/// of starting the thread.
pub(crate) fn run_in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (sender, result) = oneshot::channel();
    thread::Builder::new().spawn(move || {
        // Sending fails if the result is not awaited.
        let _ = sender.send(work());
    })?;
    Ok(result)
}
