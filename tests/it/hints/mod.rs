//! Hints that name an option or a command: a run that fails has the hint, and a run as the hint says
//! gets further.

mod calls;
mod connection;
mod input;

use crate::support::program::{Run, run_with_input};

/// A run with a hint, and the run that follows the hint.
struct Case<'a> {
    args: &'a [&'a str],
    input: &'a [u8],
    exit: i32,
    /// The whole hint.
    hint: &'a str,
    /// The options of the hint as a user types them, with values instead of placeholders.
    add: &'a str,
    /// The options that the hint removes or replaces.
    remove: &'a [&'a str],
    /// The exit code of the run that follows the hint.
    next_exit: i32,
}

impl Case<'_> {
    fn check(&self) {
        let first = run_with_input(self.args, self.input);
        assert_eq!(first.code, self.exit, "{}: {first:#?}", self.hint);
        assert!(self.is_hint_of(&first), "no {:?} in {first:#?}", self.hint);
        let added = shlex::split(self.add).expect("words");
        for name in names_of(&added) {
            assert!(
                self.hint.contains(name),
                "{:?} does not name {name}",
                self.hint
            );
        }
        let kept = self.args.iter().filter(|word| !self.remove.contains(word));
        let kept = kept.map(|&word| word.to_owned());
        let args: Vec<_> = kept.chain(added).collect();
        let next = run_with_input(&args, self.input);
        assert_eq!(next.code, self.next_exit, "{args:?}: {next:#?}");
        assert!(!self.is_hint_of(&next), "{args:?}: {next:#?}");
    }

    /// A problem of the input has its hint in parentheses.
    fn is_hint_of(&self, run: &Run) -> bool {
        let hint = self.hint;
        run.stderr.contains(&format!("hint: {hint}\n")) || run.stderr.contains(&format!("({hint})"))
    }
}

/// Returns the names of the options among these words.
fn names_of(words: &[String]) -> impl Iterator<Item = &str> {
    let options = words.iter().filter(|word| word.starts_with("--"));
    options.map(|word| word.split_once('=').map_or(&**word, |(name, _)| name))
}
