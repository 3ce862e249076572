//! Records that expire soon.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::super::position::RecordLocation;
use crate::record::{ExpireTime, Record};

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ExpiringRecord {
    #[serde(serialize_with = "serialize_text")]
    pub(crate) file: Arc<str>,
    pub(crate) record: u64,
    pub(crate) line: u64,
    pub(crate) expire_time: ExpireTime,
    #[serde(skip)]
    pub(crate) masked_token: String,
}

impl ExpiringRecord {
    pub(super) fn new(location: &RecordLocation<'_>, record: &Record<'_>) -> Self {
        Self {
            file: Arc::clone(&location.input.name),
            record: location.position.record,
            line: location.position.line,
            expire_time: record.expire_time,
            masked_token: record.token.to_string(),
        }
    }
}

fn serialize_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
