//! Forms that nobody sends by mistake: a coded answer, and nothing is left behind.

use axum::{
    body::{Body, Bytes},
    http::{Method, header},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use testing::{Answer, Form, Kind, Settings, on_every_database};

use super::{Local, UPLOAD};

on_every_database!(
    odd_forms_are_refused_and_leave_nothing,
    a_declared_gigabyte_is_refused_before_it_comes,
    a_body_that_breaks_off_leaves_nothing,
);

const MULTIPART: &str = "multipart/form-data; boundary=b";

async fn start(kind: Kind) -> Local {
    let variables = vec![("ATTACHMENT_MAX_FILE_SIZE", "100000".to_owned())];
    Local::start_with(kind, Settings { variables, ..Settings::default() }).await
}

async fn assert_nothing_left(local: &Local) {
    assert_eq!((local.total().await, local.files()), (0, Vec::new()));
    let pending: Vec<(String,)> =
        local.server.fetch(format!("SELECT file_id FROM pending_files WHERE uid = '{}'", local.ann.uid)).await;
    assert_eq!(pending, []);
}

async fn odd_forms_are_refused_and_leave_nothing(kind: Kind) {
    let local = start(kind).await;
    let part = |name: &str, filename: &str, data: &str| {
        format!(
            "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\r\n{data}\r\n"
        )
    };
    let field = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
    let file = part("file", "a.txt", "hello");
    let big = "x".repeat(100_001);
    for (name, content_type, body, code) in [
        ("no boundary", "multipart/form-data", format!("{file}--b--\r\n"), 4004),
        (
            "an endless boundary",
            &format!("multipart/form-data; boundary={}", "b".repeat(100)),
            String::new(),
            4004,
        ),
        ("an empty body", MULTIPART, String::new(), 4004),
        ("no end", MULTIPART, file.clone(), 4004),
        ("half an end", MULTIPART, format!("{file}--b-"), 4004),
        ("another boundary", MULTIPART, format!("{file}--b--").replace("--b", "--c"), 4004),
        ("half a head", MULTIPART, "--b\r\nContent-Disposition: form-da".to_owned(), 4004),
        ("no name", MULTIPART, "--b\r\nX: y\r\n\r\n1\r\n--b--".to_owned(), 4004),
        ("a huge head", MULTIPART, format!("--b\r\nX: {}\r\n\r\n1\r\n--b--", "y".repeat(50_000)), 4004),
        ("two files", MULTIPART, format!("{file}{file}--b--"), 4004),
        ("another field", MULTIPART, format!("{}--b--", part("files", "a.txt", "x")), 4004),
        ("a thousand tiny parts", MULTIPART, format!("{}{file}--b--", field.repeat(1000)), 4004),
        ("a thousand tiny files", MULTIPART, format!("{}--b--", file.repeat(1000)), 4004),
        ("huge fields", MULTIPART, format!("{file}{}--b--", field.replace('1', &"y".repeat(1_100_000))), 4004),
        ("a file over the limit", MULTIPART, format!("{}--b--", part("file", "a", &big)), 4000),
        ("a limit and no end", MULTIPART, part("file", "a", &big.repeat(2)), 4000),
        ("an endless preamble", MULTIPART, format!("{}\r\n{file}--b--", "y".repeat(3_000_000)), 4000),
        ("no file", MULTIPART, format!("{field}--b--"), 2),
        ("no file chosen", MULTIPART, format!("{}--b--", part("file", "", "")), 2),
        ("no form", "application/json", "{}".to_owned(), 2),
        ("no content type", "", file.clone(), 2),
        ("a mixed form", "multipart/mixed; boundary=b", format!("{file}--b--"), 2),
        (
            "a long type",
            MULTIPART,
            {
                let head = format!("Content-Type: x/{}\r\n\r\n", "y".repeat(300));
                format!("{}--b--", file.replacen("\r\n\r\n", &format!("\r\n{head}"), 1))
            },
            4001,
        ),
    ] {
        let answer = local.ann.send_raw(Method::POST, UPLOAD, content_type, body).await;
        assert_eq!(answer.refusal().0, code, "{name}");
    }
    assert_nothing_left(&local).await;
}

/// Sends a body piece by piece, with a declared length.
async fn send_pieces(local: &Local, length: &str, pieces: Vec<std::io::Result<Bytes>>, hangs: bool) -> Answer {
    use futures::StreamExt;

    let rest =
        if hangs { futures::stream::pending().left_stream() } else { futures::stream::empty().right_stream() };
    let request = local.ann.request(Method::POST, UPLOAD).header(header::CONTENT_TYPE, MULTIPART);
    let request = if length.is_empty() { request } else { request.header(header::CONTENT_LENGTH, length) };
    let body = Body::from_stream(futures::stream::iter(pieces).chain(rest));
    local.server.send(request.body(body).unwrap()).await
}

async fn a_declared_gigabyte_is_refused_before_it_comes(kind: Kind) {
    let local = start(kind).await;
    let begin =
        || vec![Ok(Bytes::from("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx"))];
    let answer = send_pieces(&local, "1073741824", begin(), true).await;
    assert_eq!(answer.refusal(), (4000, "文件过大"));
    assert_nothing_left(&local).await;
}

async fn a_body_that_breaks_off_leaves_nothing(kind: Kind) {
    let local = start(kind).await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let pieces =
        vec![Ok(Bytes::from(head)), Ok(Bytes::from(vec![b'x'; 50_000])), Err(std::io::Error::other("reset"))];
    assert_eq!(send_pieces(&local, "", pieces, false).await.refusal(), (4004, "文件上传失败"));
    assert_nothing_left(&local).await;
}

/// Three hundred forms of a fixed seed, each broken in a few places: whatever is stored was acknowledged, and
/// whatever was refused has left nothing.
#[tokio::test(flavor = "multi_thread")]
async fn broken_forms_are_answered_with_a_code() {
    let local = start(Kind::Sqlite).await;
    let mut random = StdRng::seed_from_u64(4711);
    let mut stored = 0;
    for round in 0..300 {
        let content = vec![b'x'; random.random_range(0..2000)];
        let form = Form::new().field("createdAt", "1").file("file", "读.txt", "text/plain", content);
        let form = form.field("properties", "{\"a\":1}");
        let mut body = form.body();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..body.len());
            match random.random_range(0..4) {
                0 => body[at] = random.random(),
                1 => body.truncate(at + 1),
                2 => drop(body.splice(at..at, b"\r\n--".iter().copied())),
                _ => drop(body.remove(at)),
            }
            body.push(b'\n');
        }
        let answer = local.ann.send_raw(Method::POST, UPLOAD, &form.content_type(), body).await;
        assert_eq!(answer.status, 200, "round {round}");
        assert!([0, 2, 4001, 4004].contains(&answer.code()), "round {round}: {answer:?}");
        stored += i64::from(answer.code() == 0);
    }
    assert!((50..250).contains(&stored), "some pass, some do not: {stored}");
    assert_eq!((local.total().await, local.files().len()), (stored, usize::try_from(stored).unwrap()));
}
