//! Options that were not typed: from the environment and from a config file.
//!
//! Their values are added to the arguments as if they had been typed, so that one parser checks
//! them all. Precedence: command line, environment, profile, rest of the config file.

mod complete;
mod config_args;
mod config_file;
mod environment;
mod option_layers;
mod option_names;
mod option_values;

pub(in crate::cli) use self::{
    complete::{CompletedArguments, complete_arguments},
    config_args::config_args,
    environment::color_variable,
};
