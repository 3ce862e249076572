//! The command line: the options of each command, and their conversion into the command's plan.
//!
//! [`crate::commands`] runs the plan.

mod command_line;
mod generate;
mod input_plan;
mod known_options;
mod layer;
mod layers;
mod man_page;
mod options;
mod parse;
mod plan;
mod sections;
mod shared_files;
mod typed;
mod values;

pub(crate) use self::{parse::parse_command_line, plan::Plan};
