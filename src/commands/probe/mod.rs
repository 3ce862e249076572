//! The `probe` command: connects to the server in stages (DNS lookup, TCP, proxy, TLS, HTTP/2),
//! reports the result of each stage, and lists the options with which `push` would work.
//!
//! [`crate::probe`] runs the stages, and [`crate::report`] prints the report.

mod option_list;
mod run;
mod working_plan;

pub(crate) use run::{Plan, run};
