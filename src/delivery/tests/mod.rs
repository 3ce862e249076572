//! Tests of the delivery without a network. The server follows a script, time is paused, and retry
//! delays have no random part.

mod concurrency;
mod connecting;
mod retries;
mod scripted_server;
mod splitting;
mod stopping;
