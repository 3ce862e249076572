//! The records that a push sends, and the limits on its batches and its speed.

mod limits;
mod selection;

/// Returns CSV rows with the tokens `t000000`, `t000001`, and so on.
fn numbered_rows(count: usize) -> String {
    (0..count)
        .map(|number| format!("t{number:06},{}\n", 1_000_000_000 + number))
        .collect()
}
