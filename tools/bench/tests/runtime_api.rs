//! The Runtime API against the smallest possible function: a loop that speaks HTTP by hand.

use std::{collections::HashMap, net::SocketAddr};

use bench::runtime_api::{Failure, Function, FunctionError, RuntimeApi};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

/// A connection of a function to its Runtime API.
struct Poller(BufReader<TcpStream>);

/// An HTTP response.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Value,
}

impl Poller {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    async fn send(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let request = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: lambda\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let status = lines[0].split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        self.0.read_exact(&mut body).await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or_default() }
    }

    async fn next(&mut self) -> (String, Value) {
        let answer = self.send("GET", "invocation/next", "").await;
        assert_eq!(answer.status, 200);
        for name in ["lambda-runtime-invoked-function-arn", "lambda-runtime-trace-id"] {
            assert!(answer.headers.contains_key(name), "{name}");
        }
        let deadline: u64 = answer.headers["lambda-runtime-deadline-ms"].parse().unwrap();
        assert!(deadline > 1_700_000_000_000, "{deadline} is no time of our days in milliseconds");
        (answer.headers["lambda-runtime-aws-request-id"].clone(), answer.body)
    }
}

#[tokio::test]
async fn events_reach_the_function_in_order_and_results_reach_their_callers() {
    let api = RuntimeApi::start().await.unwrap();
    let mut poller = Poller::connect(api.address()).await;
    let function = async {
        for _ in 0..2 {
            let (id, event) = poller.next().await;
            let result = json!({"doubled": event["n"].as_i64().unwrap() * 2}).to_string();
            assert_eq!(poller.send("POST", &format!("invocation/{id}/response"), &result).await.status, 202);
        }
    };
    let (first, second) = (json!({"n": 1}), json!({"n": 2}));
    let ((), first, second) = tokio::join!(function, api.invoke(&first), api.invoke(&second));
    assert_eq!(first, Ok(json!({"doubled": 2})));
    assert_eq!(second, Ok(json!({"doubled": 4})));
    assert!(api.first_poll().await.is_ok());
}

#[tokio::test]
async fn failures_reach_the_caller_and_nothing_can_be_answered_twice() {
    let api = RuntimeApi::start().await.unwrap();
    let mut poller = Poller::connect(api.address()).await;
    let report = json!({"errorType": "Broken", "errorMessage": "no luck"}).to_string();
    let function = async {
        let (id, _) = poller.next().await;
        let path = format!("invocation/{id}/error");
        [poller.send("POST", &path, &report).await.status, poller.send("POST", &path, &report).await.status]
    };
    let event = json!({});
    let (statuses, outcome) = tokio::join!(function, api.invoke(&event));
    assert_eq!(statuses, [202, 400]);
    let error = FunctionError { error_type: "Broken".to_owned(), message: "no luck".to_owned() };
    assert_eq!(outcome, Err(Failure::Invocation(error)));
}

#[tokio::test]
async fn a_response_above_the_limit_of_lambda_is_refused() {
    let api = RuntimeApi::start().await.unwrap();
    let mut poller = Poller::connect(api.address()).await;
    let function = async {
        let (id, _) = poller.next().await;
        let result = json!("x".repeat(6 * 1024 * 1024 + 100)).to_string();
        poller.send("POST", &format!("invocation/{id}/response"), &result).await.status
    };
    let event = json!({});
    let (status, outcome) = tokio::join!(function, api.invoke(&event));
    assert_eq!(status, 413);
    assert!(matches!(
        outcome,
        Err(Failure::Invocation(error)) if error.error_type == "Function.ResponseSizeTooLarge"
    ));
}

#[tokio::test]
async fn a_function_that_cannot_start_says_why() {
    let api = RuntimeApi::start().await.unwrap();
    let mut poller = Poller::connect(api.address()).await;
    let report = json!({"errorType": "Settings", "errorMessage": "JWT_SECRET is missing"}).to_string();
    assert_eq!(poller.send("POST", "init/error", &report).await.status, 202);
    let failure = api.first_poll().await.unwrap_err();
    assert_eq!(failure.to_string(), "the function cannot start: Settings: JWT_SECRET is missing");
}

#[tokio::test]
async fn a_process_that_ends_before_its_first_poll_is_noticed() {
    let program = std::path::Path::new("/bin/sh");
    let mut function = Function::start("broken", program, []).await.unwrap();
    let failure = function.first_poll().await.unwrap_err();
    assert!(matches!(failure, Failure::Exited { status, .. } if status == "exit status: 0"));
}
