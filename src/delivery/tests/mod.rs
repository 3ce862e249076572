//! Tests of the delivery without a network: a scripted server, paused time, delays without their
//! random part.

mod concurrency;
mod connecting;
mod retries;
mod scripted_server;
mod splitting;
mod stopping;
