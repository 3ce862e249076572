//! [`Batches`]: groups encoded records into requests of bounded size.

use bytes::Bytes;

use crate::{
    contract::{Contract, PREFIX_BYTES},
    input::{Problem, Records},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLimits {
    pub(crate) max_records: usize,
    /// The maximum size of a request in bytes: the prefix and the message. Many proxies limit a
    /// request with its prefix to 1 MiB.
    pub(crate) max_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) message: Bytes,
    pub(crate) record_count: u64,
}

impl Batch {
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

pub(crate) struct Batches<'a> {
    records: Records<'a>,
    contract: &'a Contract,
    limits: BatchLimits,
    encoded: Vec<u8>,
    count: usize,
    is_finished: bool,
}

impl<'a> Batches<'a> {
    pub(crate) fn new(records: Records<'a>, contract: &'a Contract, limits: BatchLimits) -> Self {
        Self {
            records,
            contract,
            limits,
            encoded: Vec::new(),
            count: 0,
            is_finished: false,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }

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
                || (self.count > 0 && PREFIX_BYTES + self.encoded.len() > self.limits.max_bytes);
            if is_full {
                return Ok(Some(self.take(length_before, 1)));
            }
            self.count += 1;
        }
    }

    /// The bytes after the first `length` must be the encoding of `rest_records` records.
    fn take(&mut self, length: usize, rest_records: usize) -> Batch {
        let records = std::mem::replace(&mut self.count, rest_records) as u64;
        // The next batch probably has about the same size. With an extra eighth of capacity, the
        // buffer usually does not have to grow.
        let capacity = if rest_records > 0 {
            length + length / 8
        } else {
            0
        };
        let mut message = std::mem::replace(&mut self.encoded, Vec::with_capacity(capacity));
        self.encoded.extend_from_slice(&message[length..]);
        message.truncate(length);
        Batch {
            message: message.into(),
            record_count: records,
        }
    }
}
