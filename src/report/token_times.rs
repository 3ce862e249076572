//! [`TokenTimes`]: the report of `ledger show --tokens`.

use serde::Serialize;

use crate::{diagnostics::escape, ledger::TargetTimes, record::TokenEncoding};

#[derive(Serialize)]
pub(crate) struct TokenTimes<'l> {
    tokens: Vec<TokenTime<'l>>,
}

/// The time that a target acknowledged last, in Unix seconds. A token that no target knows has no
/// time and no target.
#[derive(Serialize)]
struct TokenTime<'l> {
    device_token: String,
    expire_time: Option<u32>,
    target: Option<&'l str>,
    method: Option<&'l str>,
}

const HEADER: [&str; 4] = ["device_token", "expire_time", "target", "method"];

impl<'l> TokenTimes<'l> {
    /// The rows are in the order of the tokens, and then of the targets.
    pub(crate) fn find(
        tokens: &[Box<[u8]>],
        encoding: TokenEncoding,
        targets: &'l mut [TargetTimes],
    ) -> Self {
        let mut rows = Vec::new();
        let mut targets: Vec<_> = targets
            .iter_mut()
            .map(|target| (&*target.authority, &*target.method, &mut target.known))
            .collect();
        for token in tokens {
            let device_token = encoding.to_csv_text(token);
            let device_token = String::from_utf8_lossy(&device_token);
            let rows_before = rows.len();
            for (authority, method, known) in &mut targets {
                rows.extend(known.last_time(token).map(|time| TokenTime {
                    device_token: device_token.clone().into_owned(),
                    expire_time: Some(time),
                    target: Some(authority),
                    method: Some(method),
                }));
            }
            if rows.len() == rows_before {
                rows.push(TokenTime {
                    device_token: device_token.into_owned(),
                    expire_time: None,
                    target: None,
                    method: None,
                });
            }
        }
        Self { tokens: rows }
    }

    /// Returns CSV without the last line feed.
    pub(crate) fn to_csv(&self) -> String {
        let mut csv = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail.
        let _ = csv.write_record(HEADER);
        for row in &self.tokens {
            let time = row.expire_time.map(|time| time.to_string());
            let [target, method] = [row.target, row.method].map(Option::unwrap_or_default);
            let _ = csv.write_record([
                &*row.device_token,
                time.as_deref().unwrap_or_default(),
                &escape(target),
                &escape(method),
            ]);
        }
        let bytes = csv.into_inner().unwrap_or_default();
        let mut text = String::from_utf8(bytes).unwrap_or_default();
        text.pop();
        text
    }
}
