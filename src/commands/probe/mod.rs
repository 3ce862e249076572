//! The `probe` command: connects to the server stage by stage, reports what it finds, and lists the
//! options with which `push` would work.
//!
//! The stages themselves are in [`crate::probe`], their report is in [`crate::report`].

mod option_list;
mod run;
mod working_plan;

pub(crate) use run::{Plan, run};
