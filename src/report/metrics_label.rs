//! [`MetricsLabel`]: a label that the user adds to all metrics.

use std::fmt;

/// A name and a value (<https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>).
#[derive(Clone, Debug)]
pub(crate) struct MetricsLabel {
    pub(crate) name: String,
    value: String,
}

/// The names of the labels that the metrics have without any `--metrics-label`.
const OWN_NAMES: [&str; 2] = ["outcome", "state"];

impl MetricsLabel {
    /// Parses `NAME=VALUE`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, value) = text
            .split_once('=')
            .ok_or("expected NAME=VALUE (example: site=north)")?;
        let is_name_char = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err("label name must start with a letter or an underscore");
        }
        if !name.chars().all(is_name_char) {
            return Err("label name must contain only ASCII letters, digits and underscores");
        }
        if name.starts_with("__") {
            return Err("label name must not start with \"__\", which Prometheus reserves");
        }
        if OWN_NAMES.contains(&name) {
            return Err("the metrics have a label with this name; choose another name");
        }
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// Writes the label as the text format of Prometheus requires it.
impl fmt::Display for MetricsLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', r"\\");
        let value = value.replace('"', "\\\"").replace('\n', r"\n");
        write!(f, "{}=\"{value}\"", self.name)
    }
}
