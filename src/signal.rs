//! The signals that end a run.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// A signal that asks to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Signal {
    /// The exit code that shells give a process that this signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Hangup => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

/// Whether a signal has come.
#[derive(Clone, Debug)]
pub(crate) struct Signals(watch::Receiver<Option<Signal>>);

impl Signals {
    /// Takes the signals over from the system: the first is told here, a second ends the process
    /// at once. Needs a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        let mut hangup = signal(SignalKind::hangup())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = hangup.recv() => Signal::Hangup,
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                if tell.borrow().is_some() {
                    at_once(signal);
                }
                tell.send_replace(Some(signal));
            }
        });
        Ok(Self(told))
    }

    /// The signal that has come, if one has.
    pub(crate) fn arrived(&self) -> Option<Signal> {
        *self.0.borrow()
    }

    /// Waits for a signal.
    pub(crate) async fn wait(&self) -> Signal {
        let mut told = self.0.clone();
        let arrived = told.wait_for(Option::is_some).await;
        match arrived.ok().and_then(|signal| *signal) {
            Some(signal) => signal,
            // The runtime is ending, and with it whoever waits here.
            None => std::future::pending().await,
        }
    }
}

#[allow(
    clippy::exit,
    reason = "whoever sends a second signal does not want to wait for anything"
)]
fn at_once(signal: Signal) -> ! {
    std::process::exit(i32::from(signal.exit_code()))
}
