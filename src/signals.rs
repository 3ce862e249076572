//! Handles SIGHUP, SIGINT and SIGTERM: the first signal ends the run in an orderly way, and a later
//! second signal ends the process at once.

use std::{
    fs, future,
    io::{self, Write},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use signal_hook::{consts::SIGXFSZ, flag, low_level};

/// The time after the first signal in which further signals do not end the process at once. They are
/// the same request to end: timeout(1) of GNU signals the process and then its process group.
const FIRST_REQUEST_TIME: Duration = Duration::from_millis(100);

const THREAD_STACK_BYTES: usize = 64 << 10;

/// A signal that asks the process to end, with its number, which POSIX fixes for kill(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Signal {
    Hangup = 1,
    Interrupt = 2,
    Terminate = 15,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::Hangup];

    /// Returns the exit code that shells report for a process that this signal ended.
    pub(crate) fn exit_code(self) -> u8 {
        128 + self as u8
    }
}

#[derive(Debug)]
pub(crate) struct Signals {
    /// 0 if no signal has arrived.
    last: Arc<AtomicUsize>,
    /// A socket that becomes readable when a signal arrives.
    wake: Arc<UnixStream>,
}

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        let last = Arc::new(AtomicUsize::new(0));
        let is_second = Arc::new(AtomicBool::new(false));
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let wake = Arc::new(wake);
        let later = accept_second_signal_later(Arc::clone(&wake), Arc::clone(&is_second));
        for signal in Signal::ALL {
            // `nohup` starts a program with SIGHUP ignored, so that the program outlives its
            // terminal. A handler would undo this.
            if signal == Signal::Hangup && hangup_is_ignored() {
                continue;
            }
            let number = i32::from(signal as u8);
            let exit_code = i32::from(signal.exit_code());
            // The actions run in the order of their registration, so the first signal does not yet
            // find `is_second` set.
            flag::register_usize(number, Arc::clone(&last), usize::from(signal as u8))?;
            flag::register_conditional_shutdown(number, exit_code, Arc::clone(&is_second))?;
            if later.is_err() {
                flag::register(number, Arc::clone(&is_second))?;
            }
            low_level::pipe::register(number, waker.try_clone()?)?;
        }
        if last.load(Ordering::SeqCst) != 0 {
            // A signal arrived during the registration, possibly before all of its actions were
            // registered. The actions that may not have run are done here.
            is_second.store(true, Ordering::SeqCst);
            (&waker).write_all(b"!")?;
        }
        Ok(Self { last, wake })
    }

    pub(crate) fn wake_stream(&self) -> Arc<UnixStream> {
        Arc::clone(&self.wake)
    }

    pub(crate) fn received(&self) -> Option<Signal> {
        let number = self.last.load(Ordering::SeqCst);
        let mut signals = Signal::ALL.into_iter();
        signals.find(|signal| usize::from(*signal as u8) == number)
    }

    pub(crate) async fn wait(&self) -> Signal {
        let wake = self.wake.try_clone();
        if let Ok(wake) = wake.and_then(tokio::net::UnixStream::from_std) {
            let _ = wake.readable().await;
        }
        match self.received() {
            Some(signal) => signal,
            // Waiting for the socket failed, so this function never notices a signal. A second
            // signal still ends the process.
            None => future::pending().await,
        }
    }

    pub(crate) fn pause(&self, time: Duration) -> Option<Signal> {
        let timeout = Timespec::try_from(time).ok();
        // A failed `poll` shortens the sleep, and a caller that waits for something else as well
        // sleeps again.
        let _ = poll(
            &mut [PollFd::new(&self.wake, PollFlags::IN)],
            timeout.as_ref(),
        );
        self.received()
    }

    /// Returns signal handlers for a test, and a function that simulates a signal.
    #[cfg(test)]
    pub(crate) fn simulated() -> (Self, impl Fn(Signal)) {
        let (wake, waker) = UnixStream::pair().expect("a pair");
        wake.set_nonblocking(true).expect("set");
        let last = Arc::new(AtomicUsize::new(0));
        let signals = Self {
            last: Arc::clone(&last),
            wake: Arc::new(wake),
        };
        let send = move |signal: Signal| {
            last.store(usize::from(signal as u8), Ordering::SeqCst);
            (&waker).write_all(b"!").expect("sent");
        };
        (signals, send)
    }
}

/// Sets `is_second` a while after `wake` became readable. A thread does this, because the rest of the
/// process may be blocked.
fn accept_second_signal_later(wake: Arc<UnixStream>, is_second: Arc<AtomicBool>) -> io::Result<()> {
    let thread = thread::Builder::new().stack_size(THREAD_STACK_BYTES);
    thread.spawn(move || {
        let wait = || poll(&mut [PollFd::new(&wake, PollFlags::IN)], None);
        while wait() == Err(Errno::INTR) {}
        thread::sleep(FIRST_REQUEST_TIME);
        is_second.store(true, Ordering::SeqCst);
    })?;
    Ok(())
}

/// Lets a write beyond the limit of `ulimit -f` fail with EFBIG. The signal would otherwise end the
/// process without a message.
pub(crate) fn survive_file_size_limit() {
    // Without the handler, only the message is missing.
    let _ = flag::register(SIGXFSZ, Arc::default());
}

/// Reads proc(5), `SigIgn`. On systems without `/proc`, only unsafe code could ask the kernel.
fn hangup_is_ignored() -> bool {
    const SIGHUP_BIT: u64 = 1;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & SIGHUP_BIT != 0)
}
