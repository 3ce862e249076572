//! A parser of the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>).

use std::collections::BTreeMap;

pub(crate) type Labels = BTreeMap<String, String>;

/// A line of a metrics file. Its `name` is without the prefix of the program.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

/// Returns all series of a metrics file.
#[track_caller]
pub(crate) fn parse_metrics(text: &str) -> Vec<Series> {
    assert!(text.ends_with('\n'), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parse = |line| parse_series(line).unwrap_or_else(|| panic!("not a series: {line}"));
    lines.map(parse).collect()
}

fn parse_series(line: &str) -> Option<Series> {
    let line = line.strip_prefix("sensor_license_")?;
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = Labels::new();
    if let Some(list) = rest.strip_prefix('{') {
        (labels, rest) = parse_labels(list)?;
    }
    Some(Series {
        name: name.to_owned(),
        labels,
        value: rest.strip_prefix(' ')?.parse().ok()?,
    })
}

/// Parses the rest of a list of labels. Returns the labels, and the text after the closing brace.
pub(crate) fn parse_labels(mut text: &str) -> Option<(Labels, &str)> {
    let mut labels = Labels::new();
    loop {
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = parse_value(rest)?;
        if labels.insert(name.to_owned(), value).is_some() {
            return None;
        }
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        text = rest.strip_prefix(',')?;
    }
}

/// Parses the rest of a quoted value. Returns the value, and the text after the closing quote.
fn parse_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(match chars.next()? {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            }),
            char => value.push(char),
        }
    }
}
