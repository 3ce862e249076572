//! The `probe` command: connects to the server in stages (DNS lookup, TCP, proxy, TLS, HTTP/2),
//! reports the result of each stage, and lists options that may let `push` work.
//!
//! [`crate::probe`] runs the stages, and [`crate::report`] prints the report.

mod run;

pub(crate) use run::{Plan, run};
