//! HTTP/2 as a script has it.

use std::{collections::HashMap, io, time::Instant};

use bytes::BytesMut;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    Log, Request, Seen, Try,
    answer::{Answer, How, Reply, ok},
    drain,
    frames::{self, Frame},
};

pub(super) type Stream = TlsStream<TcpStream>;

/// The last stream of a GOAWAY that leaves out none.
const NONE_LEFT_OUT: u32 = 0x7fff_ffff;

/// Ends a connection.
pub(super) async fn end(mut stream: Stream, how: How) -> io::Result<()> {
    match how {
        How::Close => stream.shutdown().await?,
        How::Cut => stream.get_mut().0.shutdown().await?,
        How::Reset => return stream.get_ref().0.set_zero_linger(),
        How::Garbage => stream.get_mut().0.write_all(&[b'x'; 100]).await?,
    }
    // Closed with something unread, the connection would be reset before its end is read.
    drain(&mut stream.get_mut().0).await
}

/// Serves one connection until its script or its client ends it.
pub(super) async fn serve(
    mut stream: Stream,
    answers: &[Answer],
    connection: usize,
    log: &Log,
) -> io::Result<()> {
    let mut state = State {
        answers,
        connection,
        log,
        open: HashMap::new(),
        heads: 0,
        highest: 0,
        leaving: false,
        deaf: false,
        out: frames::frame(frames::SETTINGS, 0, 0, &[]),
    };
    let mut bytes = BytesMut::new();
    let mut greeted = false;
    loop {
        greeted = greeted || frames::take_preface(&mut bytes);
        let mut ending = None;
        while let Some(frame) = frames::take(&mut bytes).filter(|_| greeted && !state.deaf) {
            ending = ending.or(state.frame(&frame));
        }
        ending = ending.or(state.answer_what_is_due());
        if ending.is_none() && state.leaving && state.open.is_empty() {
            let goaway = frames::goaway(state.highest, h2::Reason::NO_ERROR);
            state.out.extend(goaway);
            ending = Some(How::Close);
        }
        stream.write_all(&state.out).await?;
        stream.flush().await?;
        state.out.clear();
        if let Some(how) = ending {
            return end(stream, how).await;
        }
        let due = state.open.values().filter_map(|open| open.due).min();
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = stream.read_buf(&mut bytes), if !state.deaf => {
                if read? == 0 {
                    return Ok(());
                }
            }
            () = due => {}
        }
    }
}

/// One connection.
struct State<'a> {
    answers: &'a [Answer],
    connection: usize,
    log: &'a Log,
    open: HashMap<u32, Open>,
    /// How many requests came.
    heads: usize,
    /// The last of their streams that is answered.
    highest: u32,
    /// Whether it ends when no request is open.
    leaving: bool,
    /// Whether it reads no more.
    deaf: bool,
    /// What is to be written.
    out: Vec<u8>,
}

/// A request under way.
struct Open {
    answer: Answer,
    /// Its place among the tries.
    number: usize,
    body: Vec<u8>,
    /// When it is to be answered, if that is put off.
    due: Option<Instant>,
}

impl State<'_> {
    /// Takes a frame; says how the connection ends if it does.
    fn frame(&mut self, frame: &Frame) -> Option<How> {
        let (kind, stream, payload) = (frame.kind, frame.stream, &frame.payload);
        match kind {
            frames::SETTINGS if !frame.is_ack() => {
                self.out.extend(frames::frame(kind, frames::ACK, 0, &[]));
            }
            frames::PING if !frame.is_ack() => {
                self.out
                    .extend(frames::frame(kind, frames::ACK, 0, payload));
            }
            // What comes after this was sent by a client that knows of the GOAWAY.
            frames::PING => self.leaving = true,
            frames::HEADERS => {
                if let Some(how) = self.head(stream) {
                    return Some(how);
                }
            }
            frames::DATA => {
                if !payload.is_empty() && !self.deaf {
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
            return self.whole(stream);
        }
        None
    }

    /// The head of a request.
    fn head(&mut self, stream: u32) -> Option<How> {
        let last = self.answers.len() - 1;
        let answer = self.answers[self.heads.min(last)].clone();
        self.heads += 1;
        let tried = Try {
            connection: self.connection,
            at: Instant::now(),
            bytes: 0,
            records: Vec::new(),
            applied: false,
            acknowledged: false,
        };
        let number = self.log.note(|seen| {
            seen.tries.push(tried);
            seen.tries.len() - 1
        });
        match answer {
            Answer::EndAtHead(how) => return Some(how),
            Answer::NeverRead => self.deaf = true,
            Answer::GoawayBefore(reason) => {
                self.out.extend(frames::goaway(self.highest, reason));
                self.leaving = true;
                return None;
            }
            _ => {}
        }
        self.highest = stream;
        let open = Open {
            answer,
            number,
            body: Vec::new(),
            due: None,
        };
        self.open.insert(stream, open);
        None
    }

    /// The end of a request.
    fn whole(&mut self, stream: u32) -> Option<How> {
        let open = self.open.get_mut(&stream)?;
        let message = open.body.get(5..).unwrap_or_default();
        let records = Request::decode(message).expect("a request").records;
        let (number, bytes) = (open.number, message.len());
        self.log.note(|seen| {
            let tried = &mut seen.tries[number];
            tried.bytes = bytes;
            tried.records = records;
        });
        self.answer(stream)
    }

    /// Answers what was put off until now.
    fn answer_what_is_due(&mut self) -> Option<How> {
        let now = Instant::now();
        let due = |open: &Open| open.due.is_some_and(|due| due <= now);
        let due: Vec<u32> = self
            .open
            .iter()
            .filter(|(_, open)| due(open))
            .map(|(stream, _)| *stream)
            .collect();
        let mut ending = None;
        for stream in due {
            ending = ending.or(self.answer(stream));
        }
        ending
    }

    /// Answers a request that has come whole.
    fn answer(&mut self, stream: u32) -> Option<How> {
        let mut open = self.open.remove(&stream)?;
        let number = open.number;
        match open.answer {
            Answer::Reply(reply) => {
                let acknowledged = reply == Reply::code(0);
                self.log.note(|seen| {
                    let tried = &mut seen.tries[number];
                    tried.applied = true;
                    tried.acknowledged = acknowledged;
                });
                self.reply(stream, &reply);
            }
            Answer::Refuse(reply) => self.reply(stream, &reply),
            Answer::Reset(reason) => self.out.extend(frames::reset(stream, reason)),
            Answer::TruncatedFrame => {
                let reply = Reply::code(0);
                self.out.extend(frames::headers(stream, &reply.head, false));
                let data = frames::frame(frames::DATA, 0, stream, &[0; 100]);
                self.out.extend(&data[..12]);
                return Some(How::Cut);
            }
            Answer::EndWhenRead { how, applied } => {
                self.log.note(|seen| seen.tries[number].applied = applied);
                return Some(how);
            }
            Answer::Never | Answer::NeverRead | Answer::EndAtHead(_) | Answer::GoawayBefore(_) => {
                self.open.insert(stream, open);
            }
            Answer::After(delay, answer) => {
                open.due = Some(Instant::now() + delay);
                open.answer = *answer;
                self.open.insert(stream, open);
            }
            Answer::IfToken(token, answer) => {
                let tokens = |seen: &mut Seen| seen.tries[number].tokens().contains(&token);
                let has = self.log.note(tokens);
                open.answer = if has { *answer } else { ok() };
                return self.again(stream, open);
            }
            Answer::IfLarger(most, answer) => {
                let larger = self.log.note(|seen| seen.tries[number].bytes > most);
                open.answer = if larger { *answer } else { ok() };
                return self.again(stream, open);
            }
            Answer::GoawayBehind(answer) => {
                self.leaving = true;
                open.answer = *answer;
                return self.again(stream, open);
            }
            Answer::Graceful(answer) => {
                let goaway = frames::goaway(NONE_LEFT_OUT, h2::Reason::NO_ERROR);
                self.out.extend(goaway);
                self.out.extend(frames::frame(frames::PING, 0, 0, &[0; 8]));
                open.answer = *answer;
                return self.again(stream, open);
            }
        }
        None
    }

    fn again(&mut self, stream: u32, open: Open) -> Option<How> {
        self.open.insert(stream, open);
        self.answer(stream)
    }

    fn reply(&mut self, stream: u32, reply: &Reply) {
        let only_head = reply.body.is_none() && reply.trailers.is_none();
        self.out
            .extend(frames::headers(stream, &reply.head, only_head));
        if let Some(body) = &reply.body {
            let flags = if reply.trailers.is_none() {
                frames::END_STREAM
            } else {
                0
            };
            self.out
                .extend(frames::frame(frames::DATA, flags, stream, body));
        }
        if let Some(trailers) = &reply.trailers {
            self.out.extend(frames::headers(stream, trailers, true));
        }
    }
}
