//! Records of one input, whatever its format.

use super::{
    bytes::Window,
    csv::{Columns, CsvReader},
    json::{JsonReader, Layout},
    options::Options,
    problem::{Fault, Located},
};
use crate::record::Record;

/// How an input's bytes hold records.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Blank,
    Csv {
        delimiter: u8,
        /// `None`: the stream starts with what tells.
        columns: Option<Columns>,
    },
    Json {
        layout: Layout,
        protobuf: bool,
    },
}

/// A reader of one input's records.
pub(super) enum Reader<'i> {
    Empty,
    Csv(Box<CsvReader<'i>>),
    Json(Box<JsonReader<'i>>),
}

impl<'i> Reader<'i> {
    /// Reads a stream of this shape from its start, which is no byte order mark.
    pub(super) fn open(
        shape: Shape,
        window: Window<'i>,
        options: &'i Options,
    ) -> Result<Self, Fault> {
        Ok(match shape {
            Shape::Blank => Self::Empty,
            Shape::Csv { delimiter, columns } => {
                let reader = match columns {
                    None => CsvReader::open(window, options, delimiter)?,
                    Some(columns) => Some(CsvReader::inside(window, options, delimiter, columns)),
                };
                reader.map_or(Self::Empty, |reader| Self::Csv(Box::new(reader)))
            }
            Shape::Json { layout, protobuf } => {
                let reader = JsonReader::new(window, layout, protobuf, options);
                Self::Json(Box::new(reader))
            }
        })
    }

    /// The next record, or what is wrong with it. After a fatal fault there is none.
    pub(super) fn next(&mut self) -> Option<Result<Located<Record<'_>>, Fault>> {
        match self {
            Self::Empty => None,
            Self::Csv(reader) => reader.next(),
            Self::Json(reader) => reader.next(),
        }
    }

    /// The buffer that it read from, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        match self {
            Self::Empty => Vec::new(),
            Self::Csv(reader) => reader.into_buffer(),
            Self::Json(reader) => reader.into_buffer(),
        }
    }
}
