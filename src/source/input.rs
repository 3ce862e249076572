//! One file of records, which can be read more than once.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    compression,
    content::{Content, Origin},
    csv::{Columns, CsvReader},
    json::{self, JsonReader, Layout, Outline},
    options::{Format, Names, Options},
    patience::Patience,
    pieces::Pieces,
    problem::{Fault, Field, Located, ProblemKind},
    sniff::{self, Start},
    window::Window,
};
use crate::record::Record;

#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: Arc<str>,
    content: Content,
    format: Option<Format>,
    /// Found out at the first reading.
    shape: Option<Shape>,
    /// Whether the first reading did not come to the end, for which it is refused.
    pub(super) broken: bool,
}

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

/// What was found of how an input holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<'i> {
    Blank,
    /// Rows, their cells apart by this.
    Rows(u8),
    /// JSON, one object a line.
    Lines,
    /// A JSON list, at the end of these keys and indices.
    List {
        path: &'i [String],
        protobuf: bool,
    },
    /// A JSON object that is one record.
    One,
}

/// A reader of one input's records.
pub(super) enum Reader<'i> {
    Empty,
    Csv(Box<CsvReader<'i>>),
    Json(Box<JsonReader<'i>>),
}

/// The request message's list in protobuf's JSON mapping.
const PROTOJSON_LIST: &str = "sensorExpire";

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

impl Input {
    pub(super) fn open(
        origin: &Origin,
        options: &Options,
        patience: &Patience,
    ) -> Result<Self, ProblemKind> {
        let name = origin.name();
        Ok(Self {
            content: Content::open(origin, patience)?,
            format: options.format.or_else(|| match origin {
                Origin::File(_) => sniff::format_of_name(&name),
                Origin::Stdin | Origin::Memory(_) => None,
            }),
            name,
            shape: None,
            broken: false,
        })
    }

    /// From now on reading may take so long.
    pub(super) fn set_patience(&mut self, patience: Patience) {
        self.content.set_patience(patience);
    }

    /// Once it has been read.
    pub(super) fn form(&self) -> Option<Form<'_>> {
        Some(match self.shape.as_ref()? {
            Shape::Blank => Form::Blank,
            Shape::Csv { delimiter, .. } => Form::Rows(*delimiter),
            Shape::Json { layout, protobuf } => match layout {
                Layout::Lines => Form::Lines,
                Layout::List(path) => Form::List {
                    path,
                    protobuf: *protobuf,
                },
                Layout::One => Form::One,
            },
        })
    }

    pub(super) fn read<'i>(&'i mut self, options: &'i Options) -> Result<Reader<'i>, Fault> {
        self.pieces(options)?.rest()
    }

    /// The same for several threads.
    pub(super) fn pieces<'i>(&'i mut self, options: &'i Options) -> Result<Pieces<'i>, Fault> {
        if self.shape.is_none() {
            self.shape = Some(self.find_shape(options)?);
        }
        let shape = self.shape.clone().unwrap_or(Shape::Blank);
        Ok(Pieces::new(shape, self.stream()?, options))
    }

    fn find_shape(&mut self, options: &Options) -> Result<Shape, Fault> {
        let fatal = |kind| Err(Fault::fatal(None, kind));
        let mut stream = self.decoded()?;
        let start = Start::read(&mut stream).map_err(unreadable)?;
        drop(stream);
        if let Some(lookalike) = start.lookalike() {
            return fatal(ProblemKind::Lookalike(lookalike));
        }
        if start.is_blank() {
            return Ok(Shape::Blank);
        }
        let format = self.format.unwrap_or_else(|| start.format());
        if options.records.is_some() && !matches!(format, Format::Json | Format::ProtoJson) {
            return fatal(ProblemKind::NoDocument);
        }
        let shape = |layout, protobuf| Shape::Json { layout, protobuf };
        Ok(match format {
            Format::Csv => Shape::Csv {
                delimiter: options.delimiter.unwrap_or(b','),
                columns: None,
            },
            Format::Tsv => Shape::Csv {
                delimiter: options.delimiter.unwrap_or(b'\t'),
                columns: None,
            },
            Format::Ndjson => shape(Layout::Lines, false),
            // The list of records is the document: what is wrong in it is found record by record.
            Format::Json if start.first() != Some(b'{') && options.records.is_none() => {
                shape(Layout::List(Vec::new()), false)
            }
            // Neither a list nor an object: there is nothing to point into.
            Format::Json | Format::ProtoJson if !matches!(start.first(), Some(b'[' | b'{')) => {
                return fatal(match format {
                    Format::ProtoJson => ProblemKind::NoRequest,
                    _ => ProblemKind::NoPointer,
                });
            }
            Format::Json | Format::ProtoJson => match self.stream().and_then(json::check) {
                Ok(more) => self.layout(more, options)?,
                // The first of many lines may be the malformed one.
                Err(_) if self.format.is_none() && start.is_lines_of_objects() => {
                    shape(Layout::Lines, false)
                }
                Err(fault) => return Err(fault),
            },
        })
    }

    /// How a document holds its records whose root is an object, or that is pointed into.
    fn layout(&mut self, more: bool, options: &Options) -> Result<Shape, Fault> {
        let fatal = |kind| Err(Fault::fatal(None, kind));
        let shape = |layout, protobuf| Ok(Shape::Json { layout, protobuf });
        if more {
            return match self.format {
                None if options.records.is_none() => shape(Layout::Lines, false),
                // As where a name says that they are lines.
                None => fatal(ProblemKind::NoDocument),
                Some(_) => fatal(ProblemKind::SecondDocument),
            };
        }
        let outline = Outline::read(Window::new(self.stream()?))?;
        let names = Names::new(options);
        let has = |field| !names.wants(field) || outline.has(names.of(field));
        let lists = outline.lists();
        let is_request = outline.has(&[PROTOJSON_LIST.to_owned()]);
        let protobuf = is_request || self.format == Some(Format::ProtoJson);
        if !protobuf && options.records.is_none() {
            let whole = has(Field::Token) && has(Field::Time);
            // With no list either, half a record is one that lacks a field.
            let any = [Field::Token, Field::Time].map(|field| outline.has(names.of(field)));
            let half = lists.is_empty() && any.contains(&true);
            if whole || half {
                return shape(Layout::One, false);
            }
        }
        if let Some(key) = outline.duplicate_key() {
            return fatal(ProblemKind::DuplicateKey(key));
        }
        if let Some(path) = &options.records {
            return shape(Layout::List(path.clone()), protobuf);
        }
        match lists.as_slice() {
            _ if is_request => shape(list(PROTOJSON_LIST), true),
            _ if protobuf => fatal(ProblemKind::NoRequest),
            [only] => shape(list(only), false),
            lists => fatal(ProblemKind::NoList {
                keys: outline.keys(),
                lists: lists.len(),
            }),
        }
    }

    /// The bytes from the start, decompressed.
    fn decoded(&mut self) -> Result<Box<dyn Read + Send + '_>, Fault> {
        let raw = self.content.reader().map_err(unreadable)?;
        compression::decode(raw).map_err(unreadable)
    }

    /// The same, less a byte order mark.
    fn stream(&mut self) -> Result<Box<dyn Read + Send + '_>, Fault> {
        let mut stream = self.decoded()?;
        let head = sniff::read_head(&mut stream).map_err(unreadable)?;
        Ok(Box::new(io::Cursor::new(head).chain(stream)))
    }
}

fn list(key: &str) -> Layout {
    Layout::List(vec![key.to_owned()])
}

fn unreadable(error: io::Error) -> Fault {
    Fault::fatal(None, error.into())
}
