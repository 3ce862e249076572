//! No more than so many records in any second.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Lets requests start so that no second, wherever it begins, has more records than allowed.
///
/// A request's records count from its start until a second after its end: the server gets them at
/// some time in between, which is not known here.
#[derive(Debug)]
pub(super) struct Pace {
    limit: u64,
    entries: RefCell<VecDeque<Entry>>,
    left: Notify,
    next: Cell<u64>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    records: u64,
    /// `None` while it is in flight.
    ended: Option<Instant>,
}

/// A request under way; it ends with the value.
pub(super) struct Pass<'p> {
    pace: &'p Pace,
    number: u64,
}

/// No more records may be sent now.
struct Full {
    /// When the next entry expires, if one that is not in flight counts.
    free_at: Option<Instant>,
}

const WINDOW: Duration = Duration::from_secs(1);

impl Pace {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            entries: RefCell::default(),
            left: Notify::new(),
            next: Cell::new(0),
        }
    }

    /// Waits until so many records may be sent; no more than the limit.
    pub(super) async fn enter(&self, records: u64) -> Pass<'_> {
        loop {
            let left = self.left.notified();
            let free_at = match self.try_enter(records) {
                Ok(pass) => return pass,
                Err(Full { free_at }) => free_at,
            };
            match free_at {
                Some(time) => tokio::select! {
                    () = tokio::time::sleep_until(time) => {}
                    () = left => {}
                },
                // Everything that counts is in flight.
                None => left.await,
            }
        }
    }

    fn try_enter(&self, records: u64) -> Result<Pass<'_>, Full> {
        let mut entries = self.entries.borrow_mut();
        let now = Instant::now();
        entries.retain(|entry| entry.ended.is_none_or(|ended| now < ended + WINDOW));
        let counted: u64 = entries.iter().map(|entry| entry.records).sum();
        if counted + records <= self.limit {
            let number = self.next.replace(self.next.get() + 1);
            entries.push_back(Entry {
                number,
                records,
                ended: None,
            });
            return Ok(Pass { pace: self, number });
        }
        let expiries = entries.iter().filter_map(|entry| entry.ended);
        Err(Full {
            free_at: expiries.min().map(|ended| ended + WINDOW),
        })
    }
}

impl Pass<'_> {
    /// Nothing was sent after all.
    pub(super) fn unused(self) {
        let mut entries = self.pace.entries.borrow_mut();
        entries.retain(|entry| entry.number != self.number);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut entries = self.pace.entries.borrow_mut();
        if let Some(entry) = entries.iter_mut().find(|one| one.number == self.number) {
            entry.ended = Some(Instant::now());
        }
        self.pace.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_second_has_more_than_the_limit() {
        let pace = Pace::new(10);
        let mut sent = Vec::new();
        for (records, takes) in [(4, 100), (6, 0), (10, 300), (1, 0), (1, 0), (9, 0)] {
            let pass = pace.enter(records).await;
            let started = Instant::now();
            tokio::time::sleep(Duration::from_millis(takes)).await;
            // As late as the server may have got them.
            sent.push((started, Instant::now(), records));
            drop(pass);
        }
        for (_, from, _) in &sent {
            let second = sent
                .iter()
                .filter(|(_, got, _)| *got >= *from && *got < *from + WINDOW);
            let records: u64 = second.map(|(.., records)| records).sum();
            assert!(records <= 10, "{sent:?}");
        }
        let took = sent.last().expect("sent").1 - sent[0].0;
        assert!(took < Duration::from_millis(3600), "{took:?}");
    }
}
