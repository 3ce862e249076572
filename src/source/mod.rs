//! Bytes to records, with a position on every error.

mod content;
mod csv;
mod duplicates;
mod fields;
mod json;
mod options;
mod problem;
mod sniff;
mod validate;
mod window;

use std::{
    io::{self, Read},
    sync::Arc,
};

use content::Content;
pub(crate) use content::Origin;
use csv::CsvReader;
use json::{JsonReader, Layout, Outline};
use options::Names;
pub(crate) use options::{FieldRef, Format, Options};
use problem::Fault;
pub(crate) use problem::{
    Class, Excerpt, Field, JsonKind, Located, Lookalike, Position, Problem, ProblemKind,
};
use sniff::Start;
pub(crate) use validate::{Counts, Records, RequestLimit, Rules, Validated, validate};

use crate::record::Record;

/// The longest record that is read, in bytes of its text.
pub(crate) const LARGEST_RECORD: usize = 1 << 20;

/// One file of records, which can be read more than once.
#[derive(Debug)]
struct Input {
    name: Arc<str>,
    content: Content,
    format: Option<Format>,
    /// Found out at the first reading.
    shape: Option<Shape>,
}

/// How an input's bytes hold records.
#[derive(Clone, Debug)]
enum Shape {
    Blank,
    Csv { delimiter: u8 },
    Json { layout: Layout, protobuf: bool },
}

/// A reader of one input's records.
enum Reader<'i> {
    Empty,
    Csv(Box<CsvReader<'i, Box<dyn Read + 'i>>>),
    Json(JsonReader<'i, Box<dyn Read + 'i>>),
}

impl Reader<'_> {
    /// The next record, or what is wrong with it. After a fatal fault there is none.
    fn next(&mut self) -> Option<Result<Located<Record<'_>>, Fault>> {
        match self {
            Self::Empty => None,
            Self::Csv(reader) => reader.next(),
            Self::Json(reader) => reader.next(),
        }
    }
}

impl Input {
    fn open(origin: &Origin, options: &Options) -> Result<Self, ProblemKind> {
        let name = origin.name();
        Ok(Self {
            content: Content::open(origin)?,
            format: options.format.or_else(|| match origin {
                Origin::File(_) => sniff::format_of_name(&name),
                Origin::Stdin => None,
            }),
            name,
            shape: None,
        })
    }

    fn read<'i>(&'i mut self, options: &'i Options) -> Result<Reader<'i>, Fault> {
        if self.shape.is_none() {
            self.shape = Some(self.find_shape(options)?);
        }
        Ok(match self.shape.clone().unwrap_or(Shape::Blank) {
            Shape::Blank => Reader::Empty,
            Shape::Csv { delimiter } => CsvReader::open(self.stream()?, options, delimiter)?
                .map_or(Reader::Empty, |reader| Reader::Csv(Box::new(reader))),
            Shape::Json { layout, protobuf } => {
                Reader::Json(JsonReader::new(self.stream()?, layout, protobuf, options))
            }
        })
    }

    fn find_shape(&mut self, options: &Options) -> Result<Shape, Fault> {
        let start = self.start()?;
        if let Some(lookalike) = start.lookalike() {
            return Err(Fault::fatal(None, ProblemKind::Lookalike(lookalike)));
        }
        if start.is_blank() {
            return Ok(Shape::Blank);
        }
        let csv = |usual| Shape::Csv {
            delimiter: options.delimiter.unwrap_or(usual),
        };
        let json = |layout, protobuf| Shape::Json { layout, protobuf };
        let list = |key: &str| Layout::List(vec![key.to_owned()]);
        Ok(match self.format.unwrap_or_else(|| start.format()) {
            Format::Csv => csv(b','),
            Format::Tsv => csv(b'\t'),
            Format::Ndjson => json(Layout::Lines, false),
            Format::ProtoJson => json(list(PROTOJSON_LIST), true),
            Format::Json if start.first() != Some(b'{') => json(Layout::List(Vec::new()), false),
            Format::Json => {
                let names = Names::new(options);
                let outline = Outline::read(self.stream()?)?;
                let lists = outline.lists();
                if outline.more && self.format.is_none() {
                    json(Layout::Lines, false)
                } else if outline.more {
                    return Err(Fault::fatal(None, ProblemKind::SecondDocument));
                } else if outline.has(&[PROTOJSON_LIST.to_owned()]) {
                    json(list(PROTOJSON_LIST), true)
                } else if outline.has(names.of(Field::Token)) && outline.has(names.of(Field::Time))
                {
                    json(Layout::One, false)
                } else if let [only] = lists.as_slice() {
                    json(list(only), false)
                } else {
                    let found = JsonKind::Object;
                    let keys = outline.keys();
                    let lists = lists.len();
                    let kind = ProblemKind::NoList { found, keys, lists };
                    return Err(Fault::fatal(None, kind));
                }
            }
        })
    }

    fn start(&mut self) -> Result<Start, Fault> {
        let start = self
            .content
            .reader()
            .and_then(|mut stream| Start::read(&mut stream));
        start.map_err(unreadable)
    }

    /// The bytes from the start, less a byte order mark.
    fn stream(&mut self) -> Result<Box<dyn Read + '_>, Fault> {
        let mut stream = self.content.reader().map_err(unreadable)?;
        let start = Start::read(&mut stream).map_err(unreadable)?;
        Ok(Box::new(io::Cursor::new(start.into_head()).chain(stream)))
    }
}

/// The request message's list in protobuf's JSON mapping.
const PROTOJSON_LIST: &str = "sensorExpire";

fn unreadable(error: io::Error) -> Fault {
    Fault::fatal(None, error.into())
}
