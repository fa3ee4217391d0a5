//! Counts the requests that go through it to an S3 server, and stops one.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

/// A proxy that passes on what it reads, unchanged: a request is signed for the address it is sent to.
pub struct Proxy {
    address: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: AtomicUsize,
    order: Mutex<Option<Order>>,
}

/// What is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The request: the server never hears of it.
    Request,
    /// The answer: the server has done what it was asked.
    Answer,
}

/// What is to be stopped, and who is told.
struct Order {
    stop: Stop,
    at: Box<dyn Fn(&str) -> bool + Send>,
    tell: Sender<()>,
}

impl Proxy {
    /// Starts a proxy before the server at `host:port`, which goes on until the process ends.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(server: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, shared) = (listener.local_addr()?.to_string(), Arc::new(Shared::default()));
        let (server, of_proxy) = (server.to_owned(), Arc::clone(&shared));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, shared) = (server.clone(), Arc::clone(&of_proxy));
                thread::spawn(move || pass(&client, &server, &shared));
            }
        });
        Ok(Self { address, shared })
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many requests went through since the last call.
    #[expect(clippy::must_use_candidate, reason = "it also begins to count anew")]
    pub fn take(&self) -> usize {
        self.shared.requests.swap(0, Ordering::Relaxed)
    }

    /// Stops the next request whose first line fits, once: who sent it waits for ever. Returns what tells when that
    /// has happened.
    pub fn stop(&self, stop: Stop, at: impl Fn(&str) -> bool + Send + 'static) -> Receiver<()> {
        let (tell, told) = channel();
        *self.shared.order() = Some(Order { stop, at: Box::new(at), tell });
        told
    }
}

impl Shared {
    fn order(&self) -> std::sync::MutexGuard<'_, Option<Order>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the order that a request fulfils.
    fn ordered(&self, head: &[u8]) -> Option<Order> {
        let line = String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default());
        self.order().take_if(|order| (order.at)(&line))
    }
}

/// Passes on the requests of a connection, and in a thread of its own the answers.
fn pass(client: &TcpStream, server: &str, shared: &Shared) -> Option<()> {
    let mut server = TcpStream::connect(server).ok()?;
    // Without this, an answer in two segments waits for the receipt of the first.
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let (answers, to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let stopped = Arc::new(Mutex::new(None));
    let of_answers = Arc::clone(&stopped);
    thread::spawn(move || pass_answers(answers, to_client, &of_answers));
    let mut reader = BufReader::new(client);
    while let Some((head, length)) = read_head(&mut reader) {
        shared.requests.fetch_add(1, Ordering::Relaxed);
        match shared.ordered(&head) {
            Some(Order { stop: Stop::Request, tell, .. }) => return tell.send(()).ok(),
            Some(Order { stop: Stop::Answer, tell, .. }) => {
                *stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(tell);
            }
            None => {}
        }
        server.write_all(&head).ok()?;
        std::io::copy(&mut reader.by_ref().take(length), &mut server).ok()?;
    }
    server.shutdown(Shutdown::Write).ok()
}

/// Passes on answers until one is stopped, and then nothing more.
fn pass_answers(mut answers: TcpStream, mut client: TcpStream, stopped: &Mutex<Option<Sender<()>>>) -> Option<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let length = answers.read(&mut bytes).unwrap_or_default();
        if let Some(tell) = &*stopped.lock().unwrap_or_else(PoisonError::into_inner) {
            return tell.send(()).ok();
        }
        if length == 0 || client.write_all(&bytes[..length]).is_err() {
            return client.shutdown(Shutdown::Both).ok();
        }
    }
}

/// Reads the head of a request, and how long its body is.
fn read_head(reader: &mut impl BufRead) -> Option<(Vec<u8>, u64)> {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if reader.read_until(b'\n', &mut head).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&head[start..]).to_lowercase();
        if let Some(number) = line.strip_prefix("content-length:") {
            length = number.trim().parse().ok()?;
        }
        if line == "\r\n" {
            return Some((head, length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_and_passed_on_unchanged() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(&server.local_addr().unwrap().to_string()).unwrap();
        let sent = "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello";
        let mut client = TcpStream::connect(proxy.url().trim_start_matches("http://")).unwrap();
        client.write_all(sent.repeat(2).as_bytes()).unwrap();
        let (mut passed, _) = server.accept().unwrap();
        let mut received = vec![0; 2 * sent.len()];
        passed.read_exact(&mut received).unwrap();
        assert_eq!(received, sent.repeat(2).into_bytes());
        passed.write_all(b"answer").unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).unwrap();
        assert_eq!((&answer, proxy.take(), proxy.take()), (b"answer", 2, 0));
    }

    #[test]
    fn a_request_or_its_answer_is_stopped_once() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy::start(&server.local_addr().unwrap().to_string()).unwrap();
        let connect = || TcpStream::connect(proxy.url().trim_start_matches("http://")).unwrap();
        for stop in [Stop::Request, Stop::Answer] {
            let told = proxy.stop(stop, |line| line == "PUT /b HTTP/1.1");
            let mut client = connect();
            client.write_all(b"PUT /a HTTP/1.1\r\n\r\nPUT /b HTTP/1.1\r\n\r\n").unwrap();
            let (mut passed, _) = server.accept().unwrap();
            let mut received = [0; 19];
            passed.read_exact(&mut received).unwrap();
            if stop == Stop::Answer {
                passed.read_exact(&mut received).unwrap();
                passed.write_all(b"answer").unwrap();
            }
            told.recv().unwrap();
            let mut other = connect();
            other.write_all(b"PUT /b HTTP/1.1\r\n\r\n").unwrap();
            let (mut passed, _) = server.accept().unwrap();
            passed.read_exact(&mut received).unwrap();
            passed.write_all(b"answer").unwrap();
            other.read_exact(&mut [0; 6]).unwrap();
        }
    }
}
