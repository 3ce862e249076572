//! Reads what was validated again, to use it.

use std::{slice, sync::Arc};

use super::{
    super::{
        file::InputFile,
        options::InputOptions,
        problem::{Position, Problem},
        reader::RecordReader,
    },
    duplicates::RecordSet,
};
use crate::record::Record;

/// The records of all inputs, duplicates left out.
pub(crate) struct Records<'v> {
    inputs: slice::IterMut<'v, InputFile>,
    options: &'v InputOptions,
    skipped: &'v RecordSet,
    current: Option<(Arc<str>, RecordReader<'v>)>,
    place: usize,
}

/// Where a record stands.
pub(in crate::input) struct At<'a> {
    pub(in crate::input) file: &'a Arc<str>,
    pub(in crate::input) position: Position,
    /// Among all that are well-formed.
    pub(in crate::input) place: usize,
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
            place: 0,
        }
    }

    /// Hands the next record to `use_it`; `None` behind the last.
    ///
    /// # Errors
    ///
    /// The input is not what it was when it was validated.
    pub(crate) fn next<T>(
        &mut self,
        use_it: impl FnOnce(&Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        self.next_at(|_, record| use_it(record))
    }

    /// The same, with where the record stands.
    pub(in crate::input) fn next_at<T>(
        &mut self,
        use_it: impl FnOnce(At<'_>, &Record<'_>) -> T,
    ) -> Result<Option<T>, Problem> {
        loop {
            let Some((name, reader)) = &mut self.current else {
                let Some(input) = self.inputs.next() else {
                    return Ok(None);
                };
                let name = Arc::clone(&input.name);
                let reader = input.records(self.options).map_err(|fault| Problem {
                    file: Arc::clone(&name),
                    position: fault.position,
                    kind: *fault.kind,
                })?;
                self.current = Some((name, reader));
                continue;
            };
            match reader.next() {
                None => self.current = None,
                Some(Ok(located)) => {
                    let place = self.place;
                    self.place += 1;
                    if !self.skipped.contains(place) {
                        let at = At {
                            file: name,
                            position: located.position,
                            place,
                        };
                        return Ok(Some(use_it(at, &located.value)));
                    }
                }
                Some(Err(fault)) => {
                    return Err(Problem {
                        file: Arc::clone(name),
                        position: fault.position,
                        kind: *fault.kind,
                    });
                }
            }
        }
    }
}
