//! The signals that end a run.

use std::{
    fs::File,
    future,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{consts, flag, low_level};

/// A signal that asks to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::Hangup];

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

    /// The same as it is kept.
    fn mark(self) -> usize {
        usize::from(self.exit_code())
    }
}

/// The signals, taken over from the system: the first is told, a second ends the process at once,
/// whatever it is doing.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The mark of the last that came, or 0.
    arrived: Arc<AtomicUsize>,
    stop: Arc<UnixStream>,
}

impl Signals {
    /// Takes them over, for as long as the process runs.
    pub(crate) fn listen() -> io::Result<Self> {
        let arrived = Arc::new(AtomicUsize::new(0));
        let is_second = Arc::new(AtomicBool::new(false));
        let (stop, wake) = UnixStream::pair()?;
        stop.set_nonblocking(true)?;
        for signal in Signal::ALL {
            // `nohup` has a program ignore the end of its terminal, and that is to hold.
            if signal == Signal::Hangup && hangup_is_ignored() {
                continue;
            }
            let number = signal.number();
            let exit_code = i32::from(signal.exit_code());
            // They are done in this order, as soon as each is there.
            flag::register_usize(number, Arc::clone(&arrived), signal.mark())?;
            flag::register_conditional_shutdown(number, exit_code, Arc::clone(&is_second))?;
            flag::register(number, Arc::clone(&is_second))?;
            low_level::pipe::register(number, wake.try_clone()?)?;
        }
        if arrived.load(Ordering::SeqCst) != 0 {
            // It may have come before all was there.
            is_second.store(true, Ordering::SeqCst);
            (&wake).write_all(b"!")?;
        }
        Ok(Self {
            arrived,
            stop: Arc::new(stop),
        })
    }

    /// Can be read from once a signal has come.
    pub(crate) fn wake_stream(&self) -> Arc<UnixStream> {
        Arc::clone(&self.stop)
    }

    /// The signal that has come, if one has.
    pub(crate) fn received(&self) -> Option<Signal> {
        let mark = self.arrived.load(Ordering::SeqCst);
        Signal::ALL.into_iter().find(|signal| signal.mark() == mark)
    }

    /// Waits for a signal, in a runtime.
    pub(crate) async fn wait(&self) -> Signal {
        let stop = self.stop.try_clone();
        if let Ok(stop) = stop.and_then(tokio::net::UnixStream::from_std) {
            let _ = stop.readable().await;
        }
        match self.received() {
            Some(signal) => signal,
            // There is nothing to wait with, and a second signal ends it all the same.
            None => future::pending().await,
        }
    }

    /// Signals that come when they are told to.
    #[cfg(test)]
    pub(crate) fn scripted() -> (Self, impl Fn(Signal)) {
        let (stop, wake) = UnixStream::pair().expect("a pair");
        stop.set_nonblocking(true).expect("set");
        let arrived = Arc::new(AtomicUsize::new(0));
        let signals = Self {
            arrived: Arc::clone(&arrived),
            stop: Arc::new(stop),
        };
        let tell = move |signal: Signal| {
            arrived.store(signal.mark(), Ordering::SeqCst);
            (&wake).write_all(b"!").expect("told");
        };
        (signals, tell)
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
