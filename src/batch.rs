//! Records to requests.

use bytes::{Bytes, BytesMut};

use crate::{
    contract::Contract,
    input::{Problem, Records},
};

/// What a request may hold at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    pub(crate) max_records: usize,
    /// Encoded, without the framing of gRPC.
    pub(crate) max_bytes: usize,
}

/// One request, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) message: Bytes,
    pub(crate) records: u64,
}

impl Batch {
    /// The same records in two requests; `None` where there is only one.
    pub(crate) fn halves(&self, contract: &Contract) -> Option<(Self, Self)> {
        let first = self.records / 2;
        if first == 0 {
            return None;
        }
        let records = contract.split_records(&self.message);
        let count = usize::try_from(first).ok()?;
        let length: usize = records.take(count).map(|record| record.len()).sum();
        let part = |message, records| Self { message, records };
        Some((
            part(self.message.slice(..length), first),
            part(self.message.slice(length..), self.records - first),
        ))
    }
}

/// The requests of a push, in the order of its records.
pub(crate) struct Batches<'a> {
    records: Records<'a>,
    contract: &'a Contract,
    limits: BatchLimits,
    /// Encoded records of the next request.
    encoded: BytesMut,
    count: usize,
    finished: bool,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(records: Records<'a>, contract: &'a Contract, limits: BatchLimits) -> Self {
        Self {
            records,
            contract,
            limits,
            encoded: BytesMut::new(),
            count: 0,
            finished: false,
        }
    }

    /// Whether [`Batches::next`] is known to have no more.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The next request; `None` behind the last.
    ///
    /// # Errors
    ///
    /// As [`Records::next`].
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, Problem> {
        loop {
            let before = self.encoded.len();
            let Self {
                records,
                contract,
                encoded,
                ..
            } = self;
            let more = records.next(|record| contract.append_record(record, encoded))?;
            if more.is_none() {
                self.finished = true;
                return Ok((self.count > 0).then(|| self.take(before, 0)));
            }
            if self.count == self.limits.max_records
                || (self.count > 0 && self.encoded.len() > self.limits.max_bytes)
            {
                return Ok(Some(self.take(before, 1)));
            }
            self.count += 1;
        }
    }

    /// Takes the first `length` bytes for a request and leaves `rest` records.
    fn take(&mut self, length: usize, rest: usize) -> Batch {
        let records = std::mem::replace(&mut self.count, rest) as u64;
        // The next request is about as long: with room for it, it need not be moved as it grows.
        let room = if rest > 0 { length + length / 8 } else { 0 };
        let mut message = std::mem::replace(&mut self.encoded, BytesMut::with_capacity(room));
        self.encoded.extend_from_slice(&message[length..]);
        message.truncate(length);
        Batch {
            message: message.freeze(),
            records,
        }
    }
}
