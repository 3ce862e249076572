//! [`Outputs`]: the rejects file, the changes file and the ledger of a push.

use super::{changes::ChangesFile, context::Run, ledger::Ledger, rejects::Rejects};
use crate::{diagnostics::Failure, report::Summary};

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

    /// Fails if the disk has no space for what the push may write. `token_bytes` is the total length
    /// of the tokens.
    pub(super) fn reserve_space(&self, records: u64, token_bytes: u64) -> Result<(), Failure> {
        if let Some(rejects) = &self.rejects {
            rejects.reserve(records, token_bytes)?;
        }
        if let Some(ledger) = &self.ledger {
            ledger.check_space(records)?;
        }
        Ok(())
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
