//! [`forget`]: removes entries from a ledger. The next push sends the records of the removed
//! entries again.

use std::{collections::HashSet, path::Path, thread, time::Duration};

use super::{
    access::WritableLedger, entry::TokenDigester, error::LedgerError, schema::salt, segments,
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

/// Removes entries from a ledger and returns their number: a token counts once for each target.
/// Waits up to `lock_timeout` until no other process locks the ledger.
pub(crate) fn forget(
    path: &Path,
    selection: ForgetSelection<'_>,
    lock_timeout: Duration,
) -> Result<u64, LedgerError> {
    let wait = |time| {
        thread::sleep(time);
        true
    };
    let mut ledger = WritableLedger::open(path, lock_timeout, &wait)?;
    let transaction = ledger.connection.transaction()?;
    let mut targets = load_targets(&transaction)?;
    let mut forgotten_digests = None;
    match selection {
        ForgetSelection::All => {}
        ForgetSelection::Authority(authority) => {
            let mut known: Vec<_> = targets
                .iter()
                .map(|row| row.key.authority.clone())
                .collect();
            known.dedup();
            targets.retain(|target| target.key.authority == authority);
            if targets.is_empty() {
                return Err(LedgerError::UnknownTarget {
                    authority: authority.to_owned(),
                    known,
                });
            }
        }
        ForgetSelection::Tokens(tokens) => {
            let mut digester = TokenDigester::new(&salt(&transaction)?);
            let digests = tokens.iter().map(|token| digester.digest(token));
            forgotten_digests = Some(digests.collect::<HashSet<_>>());
        }
    }
    let mut forgotten = 0;
    for target in targets {
        let mut entries = segments::load(&transaction, target.id)?;
        let entries_before = entries.len();
        entries.retain(|entry| match &forgotten_digests {
            Some(digests) => !digests.contains(&entry.digest),
            None => false,
        });
        forgotten += entries_before - entries.len();
        segments::replace(&transaction, target.id, &entries)?;
    }
    if matches!(selection, ForgetSelection::All) {
        transaction.execute_batch("DELETE FROM run; DELETE FROM target")?;
    }
    transaction.commit()?;
    Ok(forgotten as u64)
}
