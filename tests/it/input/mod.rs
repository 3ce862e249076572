//! Input: formats, problems, duplicates, streams.

mod duplicates;
mod expirations;
mod formats;
mod invalid;
mod large;
mod streams;
mod times;
