//! [`Batches`]: groups encoded records into requests of bounded size.

use bytes::{Bytes, BytesMut};

use crate::{
    contract::Contract,
    input::{Problem, Records},
};

/// The limits on the size of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    pub(crate) max_records: usize,
    /// The maximum size of the request message in bytes, without the gRPC framing.
    pub(crate) max_bytes: usize,
}

/// The records of one request, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The request message.
    pub(crate) message: Bytes,
    /// The number of records.
    pub(crate) record_count: u64,
}

impl Batch {
    /// Splits the batch into two batches. Returns `None` if the batch has only one record.
    pub(crate) fn halves(&self, contract: &Contract) -> Option<[Self; 2]> {
        let first_records = self.record_count / 2;
        if first_records == 0 {
            return None;
        }
        let count = usize::try_from(first_records).ok()?;
        let records = contract.split_records(&self.message);
        let first_bytes: usize = records.take(count).map(<[u8]>::len).sum();
        let first = Self {
            message: self.message.slice(..first_bytes),
            record_count: first_records,
        };
        let second = Self {
            message: self.message.slice(first_bytes..),
            record_count: self.record_count - first_records,
        };
        Some([first, second])
    }
}

/// The batches of a push, in the order of the input.
pub(crate) struct Batches<'a> {
    records: Records<'a>,
    contract: &'a Contract,
    limits: BatchLimits,
    /// The encoded records of the next batch.
    encoded: BytesMut,
    /// The number of records in `encoded`.
    count: usize,
    is_finished: bool,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(records: Records<'a>, contract: &'a Contract, limits: BatchLimits) -> Self {
        Self {
            records,
            contract,
            limits,
            encoded: BytesMut::new(),
            count: 0,
            is_finished: false,
        }
    }

    /// Returns whether [`Batches::next`] has reached the end of the input. If so, there is no
    /// further batch.
    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// Returns the next batch, or `None` after the last batch.
    ///
    /// # Errors
    ///
    /// The errors of [`Records::next`].
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, Problem> {
        loop {
            let length_before = self.encoded.len();
            let Self {
                records,
                contract,
                encoded,
                ..
            } = self;
            let appended = records.next(|record| contract.append_record(record, encoded))?;
            if appended.is_none() {
                self.is_finished = true;
                return Ok((self.count > 0).then(|| self.take(length_before, 0)));
            }
            let is_full = self.count == self.limits.max_records
                || (self.count > 0 && self.encoded.len() > self.limits.max_bytes);
            if is_full {
                return Ok(Some(self.take(length_before, 1)));
            }
            self.count += 1;
        }
    }

    /// Removes the first `length` bytes of `encoded` and returns them as a batch. The remaining
    /// bytes must be the encoding of `rest_records` records, which go into the next batch.
    fn take(&mut self, length: usize, rest_records: usize) -> Batch {
        let records = std::mem::replace(&mut self.count, rest_records) as u64;
        // The next batch probably has about the same size. With an eighth more capacity, the buffer
        // probably does not have to be moved while it grows. If no record is left, no batch follows
        // and the buffer needs no capacity.
        let capacity = if rest_records > 0 {
            length + length / 8
        } else {
            0
        };
        let mut message = std::mem::replace(&mut self.encoded, BytesMut::with_capacity(capacity));
        self.encoded.extend_from_slice(&message[length..]);
        message.truncate(length);
        Batch {
            message: message.freeze(),
            record_count: records,
        }
    }
}
