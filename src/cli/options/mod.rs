//! The command-line options, with their help texts.

#![allow(
    clippy::doc_markdown,
    rustdoc::broken_intra_doc_links,
    rustdoc::bare_urls,
    reason = "these comments are help texts, printed as they are"
)]

mod command;
mod connection;
mod deferred;
mod delivery;
mod input;
mod output;
mod receiver;

pub(in crate::cli) use self::{
    command::{Cli, Command, LedgerCommand, PushArgs, add_options},
    connection::ConnectionArgs,
    deferred::Deferred,
    delivery::DeliveryArgs,
    input::{FormatArgs, InputArgs},
    output::ERROR_FORMATS,
    receiver::ServeArgs,
};
