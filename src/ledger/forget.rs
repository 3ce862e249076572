//! [`forget`]: removes entries from a ledger. The next push sends the records of the removed
//! entries again.

use std::{collections::HashSet, path::Path, thread, time::Duration};

use super::{
    access::WritableLedger,
    entry::{Digest, TokenDigester},
    error::LedgerError,
    schema::salt,
    segments,
    target::load_targets,
};

/// Removes the entries of a server (`None` means all servers) and of some tokens (`None` means all
/// tokens) and returns their number: a token counts once for each target. Also removes the history
/// of pushes if nothing remains. Waits up to `lock_timeout` until no other process locks the ledger.
pub(crate) fn forget(
    path: &Path,
    authority: Option<&str>,
    tokens: Option<&[Box<[u8]>]>,
    lock_timeout: Duration,
) -> Result<u64, LedgerError> {
    let wait = |time| {
        thread::sleep(time);
        true
    };
    let mut ledger = WritableLedger::open(path, lock_timeout, &wait)?;
    let transaction = ledger.connection.transaction()?;
    let mut targets = load_targets(&transaction)?;
    if let Some(authority) = authority {
        let names = targets.iter().map(|target| target.authority.clone());
        let mut known: Vec<_> = names.collect();
        known.dedup();
        targets.retain(|target| target.authority.eq_ignore_ascii_case(authority));
        if targets.is_empty() {
            let authority = authority.to_owned();
            return Err(LedgerError::UnknownTarget { authority, known });
        }
    }
    let mut digester = TokenDigester::new(&salt(&transaction)?);
    let digests = tokens.map(|tokens| {
        let digests = tokens.iter().map(|token| digester.digest(token));
        digests.collect::<HashSet<_>>()
    });
    let is_forgotten = |digest: &Digest| digests.as_ref().is_none_or(|set| set.contains(digest));
    let mut forgotten = 0;
    for target in targets {
        let mut entries = segments::load(&transaction, target.id)?;
        let entries_before = entries.len();
        entries.retain(|entry| !is_forgotten(&entry.digest));
        forgotten += entries_before - entries.len();
        segments::replace(&transaction, target.id, &entries)?;
    }
    if authority.is_none() && tokens.is_none() {
        transaction.execute_batch("DELETE FROM run; DELETE FROM target")?;
    }
    transaction.commit()?;
    Ok(forgotten as u64)
}
