//! Stands in for a provider of models: a server on this machine that answers as a test tells it to, also in
//! ways that no well-behaved server would.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

/// What a provider was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method and the path with its query, such as `POST /v1/embeddings`.
    pub line: String,
    /// Head and body as they came.
    pub raw: String,
    /// The body; `null` when it is no JSON.
    pub body: Value,
}

/// What a provider answers.
#[derive(Debug, Clone)]
pub struct Answering {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    missing: usize,
    delay: Duration,
}

impl Answering {
    /// Answers with a JSON body.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::text(body.to_string())
    }

    /// Answers with any body.
    #[must_use]
    pub fn text(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into(), missing: 0, delay: Duration::ZERO }
    }

    /// Answers with another status.
    #[must_use]
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Breaks off, so many bytes before the end that the head announces.
    #[must_use]
    pub fn broken_off(self, missing: usize) -> Self {
        Self { missing, ..self }
    }

    /// Waits before it answers.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// A provider that answers by a function, as long as the value lives.
pub struct Provider {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    stopped: Arc<AtomicBool>,
}

impl Provider {
    /// Starts a provider. `answer` gets what is asked, and how often something was asked before.
    pub fn start(answer: impl Fn(&Asked, usize) -> Answering + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address").to_string();
        let (asked, stopped) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let provider = Self { address, asked: Arc::clone(&asked), stopped: Arc::clone(&stopped) };
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
                // Who breaks off in the middle of a request gets no answer.
                thread::spawn(move || serve(&stream, &*answer, &asked));
            }
        });
        provider
    }

    /// Starts a provider that always answers the same.
    #[must_use]
    pub fn always(answer: Answering) -> Self {
        Self::start(move |_, _| answer.clone())
    }

    /// Returns a URL at which nobody listens.
    #[must_use]
    pub fn nowhere() -> String {
        "http://127.0.0.1:1".to_owned()
    }

    /// Returns the base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the `host:port`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.address
    }

    /// Returns everything that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no thread panicked").clone()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(&self.address);
    }
}

/// Serves one request; the connection ends with it.
fn serve(
    mut stream: &TcpStream,
    answer: &dyn Fn(&Asked, usize) -> Answering,
    asked: &Mutex<Vec<Asked>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    let line = head.lines().next()?.rsplit_once(' ')?.0.to_owned();
    let text = String::from_utf8_lossy(&body);
    let request =
        Asked { line, raw: format!("{head}{text}"), body: serde_json::from_str(&text).unwrap_or_default() };
    let before = {
        let mut asked = asked.lock().expect("no thread panicked");
        asked.push(request.clone());
        asked.len() - 1
    };
    let Answering { status, headers, body, missing, delay } = answer(&request, before);
    thread::sleep(delay);
    let length = body.len();
    let mut reply =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n").into_bytes();
    for (name, value) in headers {
        write!(reply, "{name}: {value}\r\n").ok()?;
    }
    reply.extend_from_slice(b"\r\n");
    reply.extend_from_slice(&body[..length.saturating_sub(missing)]);
    stream.write_all(&reply).ok()
}
