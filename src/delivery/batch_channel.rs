//! The channel that carries batches from the thread that reads the input to the delivery.

use tokio::sync::mpsc;

use crate::{
    batch::{Batch, Batches},
    input::Problem,
};

pub(crate) type BatchSender = mpsc::Sender<Result<Batch, Problem>>;

pub(crate) type BatchReceiver = mpsc::Receiver<Result<Batch, Problem>>;

/// The maximum number of batches that wait in the channel. The reading thread pauses while the
/// channel is full.
const CHANNEL_CAPACITY: usize = 4;

pub(crate) fn batch_channel() -> (BatchSender, BatchReceiver) {
    mpsc::channel(CHANNEL_CAPACITY)
}

/// Reads the next batch and sends it to the delivery. If the batch cannot be read, sends the
/// problem instead.
///
/// Returns whether more batches may follow: `false` after the last batch, after a problem, and once
/// the receiver is closed.
pub(crate) fn send_next_batch(batches: &mut Batches<'_>, sender: &BatchSender) -> bool {
    let batch = match batches.next() {
        Ok(Some(batch)) => Ok(batch),
        Ok(None) => return false,
        Err(problem) => Err(problem),
    };
    let is_last = batch.is_err() || batches.is_finished();
    sender.blocking_send(batch).is_ok() && !is_last
}
