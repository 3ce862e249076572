//! The signals that end a run.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{SigId, consts, flag, low_level};
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

    fn number(self) -> i32 {
        match self {
            Self::Hangup => consts::SIGHUP,
            Self::Interrupt => consts::SIGINT,
            Self::Terminate => consts::SIGTERM,
        }
    }
}

/// Signals as a wait outside of a runtime needs them.
#[derive(Debug)]
pub(crate) struct Early {
    /// The number of the last that came, or 0.
    arrived: Arc<AtomicUsize>,
    stop: Arc<UnixStream>,
    actions: Vec<SigId>,
    signals: Vec<Signal>,
}

impl Early {
    /// Takes the signals over from the system, or shares them with [`Signals`]: the first is told here,
    /// a second ends the process at once.
    pub(crate) fn listen() -> io::Result<Self> {
        let at_once = Arc::new(AtomicBool::new(false));
        let (stop, wake) = UnixStream::pair()?;
        let mut early = Self {
            arrived: Arc::default(),
            stop: Arc::new(stop),
            actions: Vec::new(),
            signals: vec![Signal::Interrupt, Signal::Terminate],
        };
        if !hangup_is_ignored() {
            early.signals.push(Signal::Hangup);
        }
        for signal in &early.signals {
            let number = signal.number();
            let exit_code = i32::from(signal.exit_code());
            early.actions.extend([
                flag::register_conditional_shutdown(number, exit_code, Arc::clone(&at_once))?,
                flag::register(number, Arc::clone(&at_once))?,
                flag::register_usize(
                    number,
                    Arc::clone(&early.arrived),
                    usize::try_from(number).unwrap_or_default(),
                )?,
                low_level::pipe::register(number, wake.try_clone()?)?,
            ]);
        }
        Ok(early)
    }

    /// Can be read from once a signal has come.
    pub(crate) fn stop(&self) -> Arc<UnixStream> {
        Arc::clone(&self.stop)
    }

    /// The signal that has come, if one has.
    pub(crate) fn arrived(&self) -> Option<Signal> {
        let number = self.arrived.load(Ordering::SeqCst);
        let mut signals = self.signals.iter().copied();
        signals.find(|signal| usize::try_from(signal.number()) == Ok(number))
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        for action in self.actions.drain(..) {
            low_level::unregister(action);
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
        // `nohup` has a program ignore the end of its terminal, and that is to hold.
        let mut hangup = if hangup_is_ignored() {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (tell, told) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    () = arrival(&mut hangup) => Signal::Hangup,
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

    /// Signals that are sent here.
    #[cfg(test)]
    pub(crate) fn from_channel(told: watch::Receiver<Option<Signal>>) -> Self {
        Self(told)
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

async fn arrival(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether the process was started with SIGHUP ignored, where the system tells (proc(5), `SigIgn`).
fn hangup_is_ignored() -> bool {
    // With room for all of it, it comes in one read.
    let mut status = String::with_capacity(4096);
    let read =
        File::open("/proc/self/status").and_then(|mut file| file.read_to_string(&mut status));
    if read.is_err() {
        return false;
    }
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The first signal, the lowest bit.
    ignored.is_some_and(|mask| mask & 1 != 0)
}

#[allow(
    clippy::exit,
    reason = "whoever sends a second signal does not want to wait for anything"
)]
fn at_once(signal: Signal) -> ! {
    std::process::exit(i32::from(signal.exit_code()))
}
