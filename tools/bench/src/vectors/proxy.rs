//! Counts the requests that go through it to an S3 server.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A proxy that passes on what it reads, unchanged: a request is signed for the address it is sent to.
pub struct Proxy {
    address: String,
    requests: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy before the server at `host:port`, which goes on until the process ends.
    ///
    /// # Errors
    /// There is no port.
    pub fn start(server: &str) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, requests) = (listener.local_addr()?.to_string(), Arc::new(AtomicUsize::new(0)));
        let (server, counter) = (server.to_owned(), Arc::clone(&requests));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, counter) = (server.clone(), Arc::clone(&counter));
                thread::spawn(move || pass(&client, &server, &counter));
            }
        });
        Ok(Self { address, requests })
    }

    /// Returns the URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns how many requests went through since the last call.
    pub fn take(&self) -> usize {
        self.requests.swap(0, Ordering::Relaxed)
    }
}

/// Passes on the requests of a connection, and in a thread of its own the answers.
fn pass(client: &TcpStream, server: &str, requests: &AtomicUsize) -> Option<()> {
    let mut server = TcpStream::connect(server).ok()?;
    // Without this, an answer in two segments waits for the receipt of the first.
    client.set_nodelay(true).ok()?;
    server.set_nodelay(true).ok()?;
    let (mut answers, mut to_client) = (server.try_clone().ok()?, client.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut answers, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut reader = BufReader::new(client);
    while let Some((head, length)) = read_head(&mut reader) {
        requests.fetch_add(1, Ordering::Relaxed);
        server.write_all(&head).ok()?;
        std::io::copy(&mut reader.by_ref().take(length), &mut server).ok()?;
    }
    server.shutdown(Shutdown::Write).ok()
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
}
