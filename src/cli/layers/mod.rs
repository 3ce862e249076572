//! The layers of options. A *layer* is a place where options are set. From the highest precedence
//! to the lowest, the layers are the command line, the environment variables, the profile, and the
//! rest of the config file.
//!
//! The *typed arguments* are the arguments on the command line. The options of the lower layers are
//! added to the typed arguments, so that clap checks the options of all layers in the same way.

mod config_args;
mod config_file;
mod environment;
mod merge;
mod option_layers;
mod option_names;
mod option_values;

pub(in crate::cli) use self::{
    config_args::config_args,
    environment::color_variable,
    merge::{MergedArguments, merge_layers},
};
