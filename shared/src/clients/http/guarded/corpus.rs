//! Addresses that must not be reached, in every notation that a URL allows, with listeners on this machine that
//! would notice.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt;

use super::{Guarded, Lookup};
use crate::{
    clients::{Call, Failure, Http, Patience},
    clock::SystemClock,
    ids::SystemRandom,
};

/// An address of the internet at which nobody answers these tests.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);

/// Listeners on the loopback addresses, on one port.
struct Listeners(Vec<TcpListener>);

impl Listeners {
    fn start() -> Self {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        // A machine may have no IPv6.
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, v4.local_addr().unwrap().port()));
        Self([Some(v4), v6.ok()].into_iter().flatten().collect())
    }

    fn port(&self) -> u16 {
        self.0[0].local_addr().unwrap().port()
    }

    /// Asserts that nobody has connected: whoever connects now is the first to be accepted.
    fn assert_untouched(&self) {
        for listener in &self.0 {
            let own = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (_, first) = listener.accept().unwrap();
            assert_eq!(first, own.local_addr().unwrap());
        }
    }
}

/// Returns the notations of an IPv4 address, and of the IPv6 addresses that lead to it.
fn notations(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let (number, low) = (u32::from(address), u32::from(address) & 0xff_ffff);
    let (high, end) = (number >> 16, number & 0xffff);
    let digits = |text: &str, zero: u32| -> String {
        let digit = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(zero + digit)).unwrap_or(c);
        text.chars().map(digit).collect()
    };
    let dotted = address.to_string();
    let percent = |text: &str| text.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
    vec![
        dotted.clone(),
        format!("{dotted}."),
        number.to_string(),
        format!("0x{number:x}"),
        format!("0X{number:08X}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.{b}.{c}.{d}"),
        format!("{a}.{low}"),
        format!("{a}.{b}.{end}"),
        format!("{a:#x}.0{b:o}.{end}"),
        digits(&dotted, 0xff10),
        digits(&dotted, 0x1d7d8),
        dotted.replace('.', "。"),
        dotted.replace('.', "．"),
        percent(&dotted),
        format!("%{:02x}{}", dotted.as_bytes()[0], &dotted[1..]),
        format!("[::ffff:{dotted}]"),
        format!("[::ffff:{high:x}:{end:x}]"),
        format!("[0:0:0:0:0:ffff:{dotted}]"),
        format!("[::{dotted}]"),
        format!("[::ffff:0:{dotted}]"),
        format!("[64:ff9b::{dotted}]"),
        format!("[64:ff9b:1::{dotted}]"),
        format!("[2002:{high:x}:{end:x}::]"),
        format!("[2001:0:{high:x}:{end:x}::]"),
        format!("[fe80::5efe:{dotted}]"),
    ]
}

/// Returns URLs whose host is an address, with the port of the listeners.
fn addresses(port: u16) -> Vec<String> {
    let special =
        ["127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"];
    let special = special.iter().flat_map(|address| notations(address.parse().unwrap()));
    let others = [
        "0",
        "0.0.0.0",
        "127.1",
        "127.0.1",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000::0001]",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.254",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:10::1]",
        "[3fff::1]",
        "[100::1]",
        "[5f00::1]",
        "[::2]",
        "①②⑦.0.0.1",
        "127。1",
        "0x7f.1",
        "0177.1",
    ];
    let hosts: Vec<String> = special.chain(others.map(str::to_owned)).collect();
    let by_https = hosts.iter().map(|host| format!("https://{host}:{port}/x"));
    let odd = [
        format!("http://127.0.0.1:{port}/"),
        format!("http://{PUBLIC}:{port}/"),
        format!("ftp://127.0.0.1:{port}/"),
        format!("file://127.0.0.1:{port}/etc/passwd"),
        format!("gopher://127.0.0.1:{port}/_x"),
        format!("https:127.0.0.1:{port}"),
        format!("https:\\\\127.0.0.1:{port}\\x"),
        format!("https:///127.0.0.1:{port}/"),
        format!(" https://127.0.0.1:{port}/"),
        format!("ht\ntps://127.0.0.1:{port}/"),
        format!("https://open.feishu.cn@127.0.0.1:{port}/"),
        format!("https://open.feishu.cn:443@127.0.0.1:{port}/"),
        format!("https://a:b@open.feishu.cn:{port}/"),
        format!("https://@127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}#@open.feishu.cn/"),
        format!("https://127.0.0.1:{port}?@open.feishu.cn/"),
        format!("https://127.0.0.1:{port}\\@open.feishu.cn/"),
        format!("//127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}"),
        String::new(),
    ];
    by_https.chain(odd).collect()
}

/// Returns a sender that resolves names by a function, and waits for nobody for long.
fn guarded(lookup: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static, trusted: Vec<String>) -> Guarded {
    let lookup: Lookup = Arc::new(move |name| {
        let found = lookup(&name).into_iter().map(|address| SocketAddr::new(address, 0)).collect();
        std::future::ready(Ok(found)).boxed()
    });
    Guarded { lookup, ..Guarded::new(trusted, Arc::new(SystemClock), Arc::new(SystemRandom)) }
}

async fn send(guarded: &Guarded, url: &str) -> Result<u16, Failure> {
    let patience = Patience { total: Duration::from_millis(300), retries: 0 };
    guarded.send(&Call::get(url, patience, 1000)).await.map(|answer| answer.status)
}

#[tokio::test]
async fn no_notation_of_an_address_reaches_this_machine() {
    let listeners = Listeners::start();
    let guarded = guarded(|_| panic!("an address is not resolved"), Vec::new());
    let urls = addresses(listeners.port());
    assert!(urls.len() >= 200, "{}", urls.len());
    for url in urls {
        let outcome = send(&guarded, &url).await;
        assert!(matches!(outcome, Err(Failure::Forbidden)), "{url}: {outcome:?}");
    }
    listeners.assert_untouched();
}

#[tokio::test]
async fn no_name_reaches_this_machine_however_it_is_resolved() {
    let listeners = Listeners::start();
    let loopback: [IpAddr; 3] =
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()];
    let guarded = guarded(move |_| loopback.to_vec(), Vec::new());
    for host in [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ｌｏｃａｌｈｏｓｔ",
        "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
        "%6cocalhost",
        "a.localhost",
        "127.0.0.1.nip.io",
        "localtest.me",
        "open.feishu.cn.evil.example",
        "open.feishu.cn。evil.example",
        "bücher.example",
        "xn--bcher-kva.example",
        "metadata.google.internal",
        "0x7f000001.example",
        "ip6-localhost",
        "kubernetes.default.svc",
    ] {
        let outcome = send(&guarded, &format!("https://{host}:{}/", listeners.port())).await;
        assert!(matches!(outcome, Err(Failure::Unreachable(_))), "{host}: {outcome:?}");
    }
    listeners.assert_untouched();
}

#[tokio::test]
async fn a_name_that_changes_its_mind_does_not_reach_this_machine() {
    let listeners = Listeners::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // Public when it is asked first, of this machine ever after.
    let changing = guarded(
        move |_| match count.fetch_add(1, Ordering::SeqCst) {
            0 => vec![PUBLIC.into()],
            _ => vec![Ipv4Addr::LOCALHOST.into()],
        },
        Vec::new(),
    );
    let url = format!("https://rebind.example:{}/", listeners.port());
    assert!(send(&changing, &url).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "what was judged is what is called");
    assert!(matches!(send(&changing, &url).await, Err(Failure::Unreachable(_))));
    // Both at once: the public one is called, the other is not tried after it.
    let both =
        guarded(|_| vec![Ipv4Addr::LOCALHOST.into(), PUBLIC.into(), Ipv4Addr::LOCALHOST.into()], Vec::new());
    assert!(send(&both, &url).await.is_err());
    listeners.assert_untouched();
}

#[tokio::test]
async fn a_redirect_does_not_reach_this_machine() {
    let listeners = Listeners::start();
    let (port, server) = (listeners.port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let host = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let (mut stream, mut head) = (stream, [0; 1024]);
            let _ = stream.read(&mut head);
            let reply =
                format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{port}/\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    let guarded = guarded(|_| Vec::new(), vec![host.clone()]);
    let patience = Patience { total: Duration::from_secs(30), retries: 0 };
    let answer = guarded.send(&Call::get(format!("http://{host}/"), patience, 1000)).await.unwrap();
    assert_eq!(answer.status, 302);
    listeners.assert_untouched();
}
