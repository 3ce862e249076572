//! Input: formats, problems, duplicates, streams.

mod documents;
mod duplicates;
mod expirations;
mod formats;
mod invalid;
mod large;
mod streams;
mod times;
