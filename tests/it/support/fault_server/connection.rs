//! One HTTP/2 connection that follows a script.

use std::{collections::HashMap, io, time::Instant};

use bytes::BytesMut;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    Attempt, Request, TrafficLog,
    action::{Action, Ending, Response, framed, ok},
    drain,
    frames::{self, Frame},
};

pub(super) type TlsConnection = TlsStream<TcpStream>;

/// The highest possible stream number. A GOAWAY with this last stream lets all requests finish (RFC
/// 9113 section 6.8).
const MAX_STREAM: u32 = 0x7fff_ffff;

pub(super) async fn end(mut stream: TlsConnection, ending: Ending) -> io::Result<()> {
    match ending {
        Ending::CloseNotify => stream.shutdown().await?,
        Ending::Fin => stream.get_mut().0.shutdown().await?,
        Ending::Rst => return stream.get_ref().0.set_zero_linger(),
        Ending::Garbage => stream.get_mut().0.write_all(&[b'x'; 100]).await?,
    }
    // Closing a socket with unread bytes would reset the connection, so this reads all bytes first.
    drain(&mut stream.get_mut().0).await
}

/// Serves one connection until the script or the client ends the connection. `settings` is the
/// payload of the SETTINGS frame.
pub(super) async fn serve(
    mut stream: TlsConnection,
    settings: &[u8],
    actions: &[Action],
    connection: usize,
    log: &TrafficLog,
) -> io::Result<()> {
    let mut state = State {
        actions,
        connection,
        log,
        open: HashMap::new(),
        waiting: Vec::new(),
        request_count: 0,
        highest_stream: 0,
        is_leaving: false,
        leaving_reason: h2::Reason::NO_ERROR,
        ignores_input: false,
        out: frames::frame(frames::SETTINGS, 0, 0, settings),
    };
    let mut bytes = BytesMut::new();
    let mut has_preface = false;
    loop {
        has_preface = has_preface || frames::take_preface(&mut bytes);
        let mut ending = None;
        while has_preface && !state.ignores_input {
            let Some(frame) = frames::take_frame(&mut bytes) else {
                break;
            };
            ending = ending.or(state.receive(&frame));
        }
        ending = ending.or(state.act_on_due_requests());
        if ending.is_none() && state.is_leaving && state.open.is_empty() {
            let goaway = frames::goaway(state.highest_stream, state.leaving_reason);
            state.out.extend(goaway);
            ending = Some(Ending::CloseNotify);
        }
        stream.write_all(&state.out).await?;
        stream.flush().await?;
        state.out.clear();
        if let Some(ending) = ending {
            return end(stream, ending).await;
        }
        let due = state.open.values().filter_map(|open| open.due).min();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = stream.read_buf(&mut bytes), if !state.ignores_input => {
                if read? == 0 {
                    return Ok(());
                }
            }
            () = due => {}
        }
    }
}

struct State<'a> {
    /// One action per request. The last action is for all further requests.
    actions: &'a [Action],
    /// The number of the connection, from 0.
    connection: usize,
    log: &'a TrafficLog,
    /// The open requests by their stream.
    open: HashMap<u32, OpenRequest>,
    /// The streams whose action is taken when more requests are open.
    waiting: Vec<u32>,
    request_count: usize,
    /// The highest stream that is processed, for GOAWAY.
    highest_stream: u32,
    /// Whether the connection ends when no request is open.
    is_leaving: bool,
    leaving_reason: h2::Reason,
    ignores_input: bool,
    /// The bytes to write next.
    out: Vec<u8>,
}

struct OpenRequest {
    action: Action,
    /// The index in [`Traffic::attempts`](super::Traffic::attempts).
    attempt: usize,
    body: Vec<u8>,
    /// The time at which a delayed action is due.
    due: Option<Instant>,
}

impl State<'_> {
    /// Handles a frame. If the frame ends the connection, returns the ending.
    fn receive(&mut self, frame: &Frame) -> Option<Ending> {
        let (kind, stream, payload) = (frame.kind, frame.stream, &frame.payload);
        match kind {
            frames::SETTINGS if !frame.is_ack() => {
                self.out.extend(frames::frame(kind, frames::ACK, 0, &[]));
            }
            frames::PING if !frame.is_ack() => {
                self.out
                    .extend(frames::frame(kind, frames::ACK, 0, payload));
            }
            // The client acknowledged the PING that followed GOAWAY. So the client knows of GOAWAY,
            // and opens no more requests.
            frames::PING => self.is_leaving = true,
            frames::HEADERS => {
                if let Some(ending) = self.open_request(stream) {
                    return Some(ending);
                }
            }
            frames::DATA => {
                if !payload.is_empty() && !self.ignores_input {
                    self.out
                        .extend(frames::window_updates(stream, payload.len()));
                }
                if let Some(open) = self.open.get_mut(&stream) {
                    open.body.extend(payload);
                }
            }
            frames::RST_STREAM => {
                self.open.remove(&stream);
            }
            _ => return None,
        }
        if [frames::HEADERS, frames::DATA].contains(&kind) && frame.ends_stream() {
            return self.finish_request(stream);
        }
        None
    }

    /// Handles the headers of a request. If the action of the request ends the connection, returns
    /// the ending.
    fn open_request(&mut self, stream: u32) -> Option<Ending> {
        let last = self.actions.len() - 1;
        let action = self.actions[self.request_count.min(last)].clone();
        self.request_count += 1;
        let attempt = Attempt {
            connection: self.connection,
            at: Instant::now(),
            message_bytes: 0,
            records: Vec::new(),
            is_applied: false,
            is_acknowledged: false,
        };
        let attempt = self.log.update(|traffic| {
            traffic.attempts.push(attempt);
            traffic.attempts.len() - 1
        });
        match action {
            Action::EndAtHeaders(ending) => return Some(ending),
            Action::NeverRead => self.ignores_input = true,
            Action::GoawayBefore(reason) => {
                self.out.extend(frames::goaway(self.highest_stream, reason));
                self.is_leaving = true;
                return None;
            }
            _ => {}
        }
        self.highest_stream = stream;
        let open = OpenRequest {
            action,
            attempt,
            body: Vec::new(),
            due: None,
        };
        self.open.insert(stream, open);
        None
    }

    /// Handles the end of a request.
    fn finish_request(&mut self, stream: u32) -> Option<Ending> {
        let open = self.open.get_mut(&stream)?;
        let message = open.body.get(5..).unwrap_or_default();
        let records = Request::decode(message).expect("a request").records;
        let (attempt, bytes) = (open.attempt, message.len());
        self.log.update(|traffic| {
            let attempt = &mut traffic.attempts[attempt];
            attempt.message_bytes = bytes;
            attempt.records = records;
        });
        self.act(stream)
    }

    /// Acts on the requests whose delay has passed.
    fn act_on_due_requests(&mut self) -> Option<Ending> {
        let now = Instant::now();
        let due = |open: &OpenRequest| open.due.is_some_and(|due| due <= now);
        let due: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| due(open))
            .map(|(stream, _)| *stream)
            .collect();
        let mut ending = None;
        for stream in due {
            ending = ending.or(self.act(stream));
        }
        ending
    }

    /// Acts on a request that was read to its end.
    fn act(&mut self, stream: u32) -> Option<Ending> {
        let mut open = self.open.remove(&stream)?;
        let attempt = open.attempt;
        match open.action {
            Action::Apply(response) => {
                let is_acknowledged = response.has_code_0();
                self.log.update(|traffic| {
                    let attempt = &mut traffic.attempts[attempt];
                    attempt.is_applied = true;
                    attempt.is_acknowledged = is_acknowledged;
                });
                self.respond(stream, &response);
            }
            Action::Reject(response) => self.respond(stream, &response),
            Action::ResetStream(reason) => self.out.extend(frames::reset(stream, reason)),
            Action::ResetInsideMessage(reason) => {
                let fields = response_fields(&Response::code(0));
                self.out.extend(frames::headers(stream, &fields, false));
                let message = framed(&[8, 0]);
                self.out
                    .extend(frames::frame(frames::DATA, 0, stream, &message[..6]));
                self.out.extend(frames::reset(stream, reason));
            }
            Action::EndInsideFrame => {
                let response = Response::code(0);
                self.out
                    .extend(frames::headers(stream, &response_fields(&response), false));
                let data = frames::frame(frames::DATA, 0, stream, &[0; 100]);
                self.out.extend(&data[..12]);
                return Some(Ending::Fin);
            }
            Action::EndAfterRequest { ending, is_applied } => {
                self.log
                    .update(|traffic| traffic.attempts[attempt].is_applied = is_applied);
                return Some(ending);
            }
            Action::NeverAnswer
            | Action::NeverRead
            | Action::EndAtHeaders(_)
            | Action::GoawayBefore(_) => {
                self.open.insert(stream, open);
            }
            Action::Delay(delay, action) => {
                open.due = Some(Instant::now() + delay);
                open.action = *action;
                self.open.insert(stream, open);
            }
            Action::WhenOpen(count, action) => {
                open.action = *action;
                self.open.insert(stream, open);
                self.waiting.push(stream);
                if self.waiting.len() == count {
                    let streams = std::mem::take(&mut self.waiting);
                    return streams.into_iter().find_map(|stream| self.act(stream));
                }
            }
            Action::IfToken(token, action) => {
                let has_token = self
                    .log
                    .update(|traffic| traffic.attempts[attempt].tokens().contains(&token));
                open.action = if has_token { *action } else { ok() };
                return self.act_again(stream, open);
            }
            Action::IfLargerThan(max_bytes, action) => {
                let is_larger = self
                    .log
                    .update(|traffic| traffic.attempts[attempt].message_bytes > max_bytes);
                open.action = if is_larger { *action } else { ok() };
                return self.act_again(stream, open);
            }
            Action::GoawayInstead(reason) => {
                self.out.extend(frames::goaway(stream, reason));
                return Some(Ending::CloseNotify);
            }
            Action::GoawayAfter(reason, action) => {
                self.is_leaving = true;
                self.leaving_reason = reason;
                open.action = *action;
                return self.act_again(stream, open);
            }
            Action::GracefulGoaway(action) => {
                let goaway = frames::goaway(MAX_STREAM, h2::Reason::NO_ERROR);
                self.out.extend(goaway);
                self.out.extend(frames::frame(frames::PING, 0, 0, &[0; 8]));
                open.action = *action;
                return self.act_again(stream, open);
            }
        }
        None
    }

    fn act_again(&mut self, stream: u32, open: OpenRequest) -> Option<Ending> {
        self.open.insert(stream, open);
        self.act(stream)
    }

    fn respond(&mut self, stream: u32, response: &Response) {
        let is_headers_only = response.body.is_none() && response.trailers.is_none();
        let fields = response_fields(response);
        self.out
            .extend(frames::headers(stream, &fields, is_headers_only));
        for _ in 0..response.empty_frames {
            self.out.extend(frames::frame(frames::DATA, 0, stream, &[]));
        }
        if let Some(body) = &response.body {
            let flags = if response.trailers.is_none() {
                frames::END_STREAM
            } else {
                0
            };
            self.out
                .extend(frames::frame(frames::DATA, flags, stream, body));
        }
        if let Some(trailers) = &response.trailers {
            self.out.extend(frames::headers(stream, trailers, true));
        }
    }
}

/// Returns the pseudo-header and the headers of a response.
fn response_fields(response: &Response) -> Vec<(String, Vec<u8>)> {
    let status = (
        ":status".to_owned(),
        response.status.to_string().into_bytes(),
    );
    [&[status], &response.headers[..]].concat()
}
