//! A pass over the valid records of the inputs.

use std::{iter, slice};

use super::{
    super::{
        file::InputFile,
        options::InputOptions,
        position::{InputLabel, RecordLocation},
        problem::{Problem, ReadError},
        reader::RecordReader,
    },
    record_set::RecordSet,
    rules::ValidationRules,
};
use crate::record::Record;

pub(crate) struct Records<'v> {
    inputs: slice::IterMut<'v, InputFile>,
    options: &'v InputOptions,
    skipped: &'v RecordSet,
    /// The rules that tell which records are valid. `None` if the first pass found no problem.
    rules: Option<&'v ValidationRules<'v>>,
    current: Option<OpenInput<'v>>,
    next_index: usize,
}

struct OpenInput<'v> {
    label: InputLabel,
    reader: RecordReader<'v>,
}

impl<'v> Records<'v> {
    pub(in crate::input) fn new(
        inputs: &'v mut [InputFile],
        options: &'v InputOptions,
        skipped: &'v RecordSet,
        rules: Option<&'v ValidationRules<'v>>,
    ) -> Self {
        Self {
            inputs: inputs.iter_mut(),
            options,
            skipped,
            rules,
            current: None,
            next_index: 0,
        }
    }

    /// Fails with a problem that the validation did not find, because the input has changed.
    pub(crate) fn next<T>(
        &mut self,
        use_record: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        self.next_with_location(|_, record| use_record(record))
    }

    /// After an error, continues with the next input.
    pub(in crate::input) fn next_with_location<T>(
        &mut self,
        use_record: impl FnOnce(RecordLocation<'_>, &Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        loop {
            let Some(OpenInput { label, reader }) = &mut self.current else {
                let mut complete = iter::from_fn(|| self.inputs.next());
                let Some(input) = complete.find(|input| !input.is_incomplete) else {
                    return Ok(None);
                };
                let label = input.label.clone();
                let reader = input
                    .records(self.options)
                    .map_err(|error| error.into_problem(&label))?;
                self.current = Some(OpenInput { label, reader });
                continue;
            };
            // `located` borrows from `next`, because moving the record out of the result would take
            // 4 % of the time of a push.
            let next = reader.next();
            let located = match next {
                None => {
                    self.current = None;
                    continue;
                }
                Some(Err(ReadError {
                    is_fatal: false, ..
                })) if self.rules.is_some() => continue,
                Some(Err(error)) => {
                    let problem = error.into_problem(label);
                    self.current = None;
                    return Err(problem);
                }
                Some(Ok(ref located)) => located,
            };
            let breaks_rule =
                |rules: &ValidationRules| rules.find_problem(&located.value).is_some();
            if self.rules.is_some_and(breaks_rule) {
                continue;
            }
            let index = self.next_index;
            self.next_index += 1;
            if !self.skipped.contains(index) {
                let location = RecordLocation {
                    input: label,
                    position: located.position,
                    index,
                };
                return Ok(Some(use_record(location, &located.value)));
            }
        }
    }
}
