//! The command line: which options can be typed, and the plan that they make for a command.
//!
//! What a command does with its plan is in [`crate::commands`].

mod color;
mod command_line;
mod generate;
mod layers;
mod options;
mod parse;
mod plan;
mod values;

pub(crate) use self::{parse::parse_command_line, plan::Plan};
