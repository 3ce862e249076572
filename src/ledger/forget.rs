//! [`forget`]: removes entries from a ledger. The next push sends the records of the removed
//! entries again.

use std::{collections::HashSet, path::Path, time::Duration};

use super::{
    access::{MissingFile, open_to_write},
    database::begin_immediate,
    digest::TokenDigester,
    error::LedgerError,
    schema, segments,
    target::load_targets,
};

/// The entries to remove.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ForgetSelection<'f> {
    /// All entries, all targets and the history of pushes.
    All,
    /// The entries of all methods of the server with this `:authority`.
    Authority(&'f str),
    /// The entries of these tokens in all targets.
    Tokens(&'f [Box<[u8]>]),
}

/// The result of [`forget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForgetOutcome {
    /// Entries were removed. `tokens` is the number of removed entries: a token counts once for
    /// each target.
    Forgotten { tokens: u64 },
    /// The ledger has no target with the given `:authority`. `authorities` lists all authorities of
    /// the ledger.
    UnknownAuthority { authorities: Vec<String> },
}

/// Removes entries from a ledger. Waits up to `lock_timeout` until no other process locks the
/// ledger.
///
/// # Errors
///
/// The file does not exist, is not a ledger, or is still locked by a different process.
pub(crate) fn forget(
    path: &Path,
    selection: ForgetSelection<'_>,
    lock_timeout: Duration,
) -> Result<ForgetOutcome, LedgerError> {
    let wait = |time| {
        std::thread::sleep(time);
        true
    };
    let mut ledger = open_to_write(path, lock_timeout, &wait, MissingFile::Fail)?;
    let mut digester = TokenDigester::new(&schema::salt(&ledger.connection)?);
    let transaction = begin_immediate(&mut ledger.connection)?;
    let targets = load_targets(&transaction)?;
    let mut removed = 0;
    match selection {
        ForgetSelection::All => {
            for target in targets {
                removed += segments::load(&transaction, target.id)?.len();
            }
            transaction
                .execute_batch("DELETE FROM segment; DELETE FROM run; DELETE FROM target")?;
        }
        ForgetSelection::Authority(authority) => {
            let (selected, others): (Vec<_>, Vec<_>) = targets
                .into_iter()
                .partition(|target| target.authority == authority);
            if selected.is_empty() {
                let mut authorities: Vec<_> =
                    others.into_iter().map(|target| target.authority).collect();
                authorities.dedup();
                return Ok(ForgetOutcome::UnknownAuthority { authorities });
            }
            for target in selected {
                removed += segments::load(&transaction, target.id)?.len();
                segments::replace(&transaction, target.id, &[])?;
            }
        }
        ForgetSelection::Tokens(tokens) => {
            let digests: HashSet<_> = tokens.iter().map(|token| digester.digest(token)).collect();
            for target in targets {
                let mut entries = segments::load(&transaction, target.id)?;
                let entries_before = entries.len();
                entries.retain(|entry| !digests.contains(&entry.digest));
                removed += entries_before - entries.len();
                segments::replace(&transaction, target.id, &entries)?;
            }
        }
    }
    transaction.commit()?;
    Ok(ForgetOutcome::Forgotten {
        tokens: removed as u64,
    })
}
