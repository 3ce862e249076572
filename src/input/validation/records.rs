//! A pass that returns the records of validated inputs.

use std::{slice, sync::Arc};

use super::{
    super::{
        file::InputFile, options::InputOptions, position::Position, problem::Problem,
        reader::RecordReader,
    },
    record_set::RecordSet,
};
use crate::record::Record;

/// The records of all inputs in the order of the inputs, without skipped records.
pub(crate) struct Records<'v> {
    inputs: slice::IterMut<'v, InputFile>,
    options: &'v InputOptions,
    skipped: &'v RecordSet,
    current: Option<OpenInput<'v>>,
    /// The index of the next record among the valid records of all inputs.
    next_index: usize,
}

/// The input that is being read.
struct OpenInput<'v> {
    name: Arc<str>,
    reader: RecordReader<'v>,
}

/// The place of a record in the inputs.
pub(in crate::input) struct RecordLocation<'a> {
    pub(in crate::input) file: &'a Arc<str>,
    pub(in crate::input) position: Position,
    /// The index of the record among the valid records of all inputs, including skipped records.
    pub(in crate::input) index: usize,
}

impl<'v> Records<'v> {
    pub(in crate::input) fn new(
        inputs: &'v mut [InputFile],
        options: &'v InputOptions,
        skipped: &'v RecordSet,
    ) -> Self {
        Self {
            inputs: inputs.iter_mut(),
            options,
            skipped,
            current: None,
            next_index: 0,
        }
    }

    /// Passes the next record to `use_record`, and returns the value that `use_record` returns.
    /// Returns `None` after the last record.
    ///
    /// # Errors
    ///
    /// A problem that the validation did not find, because the input changed or can no longer be
    /// read.
    pub(crate) fn next<T>(
        &mut self,
        use_record: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        self.next_with_location(|_, record| use_record(record))
    }

    /// Passes the next record and its `RecordLocation` to `use_record`, and otherwise works like
    /// [`Records::next`].
    ///
    /// # Errors
    ///
    /// The same errors as [`Records::next`].
    pub(in crate::input) fn next_with_location<T>(
        &mut self,
        use_record: impl FnOnce(RecordLocation<'_>, &Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        loop {
            let Some(OpenInput { name, reader }) = &mut self.current else {
                let Some(input) = self.inputs.next() else {
                    return Ok(None);
                };
                let name = Arc::clone(&input.name);
                let reader = input
                    .records(self.options)
                    .map_err(|error| error.into_problem(&name))?;
                self.current = Some(OpenInput { name, reader });
                continue;
            };
            match reader.next() {
                None => self.current = None,
                Some(Ok(located)) => {
                    let index = self.next_index;
                    self.next_index += 1;
                    if !self.skipped.contains(index) {
                        let location = RecordLocation {
                            file: name,
                            position: located.position,
                            index,
                        };
                        return Ok(Some(use_record(location, &located.value)));
                    }
                }
                Some(Err(error)) => return Err(error.into_problem(name)),
            }
        }
    }
}
