//! One file of records, which can be read more than once.

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    bytes::{Content, Origin, Patience, Window, decode},
    detect::{self, Start},
    json::{self, Layout, Outline},
    options::{Format, Names, Options},
    problem::{Fault, Field, ProblemKind},
    reader::{Reader, Shape},
};

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

/// The request message's list in protobuf's JSON mapping.
const PROTOJSON_LIST: &str = "sensorExpire";

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
                Origin::File(_) => detect::format_of_name(&name),
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
        let shape = self.shape(options)?;
        Reader::open(shape, Window::new(self.stream()?), options)
    }

    /// How its bytes hold records, which is found out the first time.
    pub(super) fn shape(&mut self, options: &Options) -> Result<Shape, Fault> {
        match &self.shape {
            Some(shape) => Ok(shape.clone()),
            None => {
                let shape = self.find_shape(options)?;
                Ok(self.shape.insert(shape).clone())
            }
        }
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
        decode(raw).map_err(unreadable)
    }

    /// The same, less a byte order mark.
    pub(super) fn stream(&mut self) -> Result<Box<dyn Read + Send + '_>, Fault> {
        let mut stream = self.decoded()?;
        let head = detect::read_head(&mut stream).map_err(unreadable)?;
        Ok(Box::new(io::Cursor::new(head).chain(stream)))
    }
}

fn list(key: &str) -> Layout {
    Layout::List(vec![key.to_owned()])
}

fn unreadable(error: io::Error) -> Fault {
    Fault::fatal(None, error.into())
}
