//! [`Deferred`]: the options of a command that clap knows only if the command may run.

use clap::{ArgMatches, Args, Command, FromArgMatches, error::Result};

/// The parsed options of a command. Unlike `A`, this type adds no options to the clap command,
/// because [`super::add_options`] does so for the commands that need them. Building the options of
/// all commands would take an eighth of the instructions of a push of one record.
#[derive(Debug)]
pub(in crate::cli) struct Deferred<A>(pub(in crate::cli) Box<A>);

impl<A: Args> Args for Deferred<A> {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl<A: Args> FromArgMatches for Deferred<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self> {
        A::from_arg_matches(matches).map(|args| Self(Box::new(args)))
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self> {
        A::from_arg_matches_mut(matches).map(|args| Self(Box::new(args)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<()> {
        self.0.update_from_arg_matches(matches)
    }
}
