//! [`Outputs`]: the rejects file, the changes file and the ledger of a push.

use super::{changes::ChangesFile, context::Run, ledger::Ledger, rejects::Rejects};
use crate::{
    diagnostics::{Failure, FailureKind},
    input::ValidatedInput,
    report::Summary,
};

pub(super) struct Outputs<'p> {
    pub(super) rejects: Option<Rejects<'p>>,
    pub(super) changes: Option<ChangesFile<'p>>,
    pub(super) ledger: Option<Ledger<'p>>,
}

impl<'p> Outputs<'p> {
    /// Opens all outputs but the ledger before the input is read, so that a refused input can
    /// replace the rejects of an earlier run.
    pub(super) fn open(run: &Run<'p>) -> Result<Self, Failure> {
        let rejects = run.plan.rejects_file.as_deref();
        let rejects = rejects.map(|path| Rejects::open(path, run)).transpose()?;
        Ok(Self {
            rejects,
            changes: ChangesFile::open(run)?,
            ledger: None,
        })
    }

    /// The ledger is opened last, because it then lists this run as started, and only `close` writes
    /// the end of the run.
    pub(super) fn open_ledger(&mut self, run: &Run<'p>) -> Result<(), Failure> {
        let ledger = run.plan.ledger.as_ref().zip(run.ledger_key());
        let ledger = ledger.map(|(ledger, key)| Ledger::open(run, ledger, &key));
        self.ledger = ledger.transpose()?;
        Ok(())
    }

    /// Rejects all records of a push that failed before it could send any. If the failure refuses the
    /// input, its records must not be pushed again.
    pub(super) fn reject_unsent(
        &mut self,
        failure: &Failure,
        unsent: u64,
        input: &mut ValidatedInput,
    ) {
        if failure.kind != FailureKind::Input
            && let Some(rejects) = &mut self.rejects
        {
            rejects.add_unsent(unsent, input);
        }
    }

    /// Completes all outputs and returns the result of the push. The failure of an output comes
    /// first, and the failure in `result` becomes a cause.
    pub(super) fn close(
        self,
        mut result: Result<(), Failure>,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        if let Some(changes) = self.changes {
            result = changes.close(result);
        }
        if let Some(rejects) = self.rejects {
            result = rejects.finish(result, summary);
        }
        match self.ledger {
            Some(ledger) => ledger.end_run(result, summary),
            None => result,
        }
    }
}
