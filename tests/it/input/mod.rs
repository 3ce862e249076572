//! Input: formats, problems, duplicates, streams.

mod documents;
mod duplicates;
mod expirations;
mod formats;
mod hints;
mod invalid;
mod large;
mod streams;
mod times;
