//! What browsers ask and are told (`contract/http-conventions.md` section 7).

use axum::http::Method;
use testing::{Answer, Kind, Server, Settings, on_every_database};

on_every_database!(
    without_a_list_any_origin_may_read,
    only_listed_origins_may_read,
    a_preflight_ends_before_authentication,
    every_answer_has_security_headers,
);

async fn send(server: &Server, method: Method, path: &str, origin: Option<&str>) -> Answer {
    let request =
        server.anonymous().request(method, path).header("access-control-request-headers", "authorization,x-y");
    let request = match origin {
        Some(origin) => request.header("origin", origin),
        None => request,
    };
    server.send(request.body("".into()).unwrap()).await
}

async fn without_a_list_any_origin_may_read(kind: Kind) {
    let server = Server::start(kind).await;
    for path in ["/api/v1/health", "/api/v1/tags", "/api/v1/nothing", "/"] {
        for origin in [None, Some("https://app.example"), Some("null")] {
            let answer = send(&server, Method::GET, path, origin).await;
            assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
        }
    }
}

async fn only_listed_origins_may_read(kind: Kind) {
    for (credentials, allowed) in [("true", "true"), ("false", ""), ("TRUE", "")] {
        let variables = vec![
            ("CORS_ORIGIN", "https://app.example, http://localhost:3000".to_owned()),
            ("CORS_CREDENTIALS", credentials.to_owned()),
        ];
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        for (origin, is_listed) in [
            (Some("https://app.example"), true),
            (Some("http://localhost:3000"), true),
            (Some("http://app.example"), false),
            (Some("https://app.example:8443"), false),
            (Some("https://app.example.evil.example"), false),
            (Some("HTTPS://APP.EXAMPLE"), false),
            (Some("null"), false),
            (Some("*"), false),
            (None, false),
        ] {
            for (method, path) in
                [(Method::GET, "/api/v1/tags"), (Method::OPTIONS, "/api/v1/tags"), (Method::GET, "/")]
            {
                let answer = send(&server, method, path, origin).await;
                let expected = origin.filter(|_| is_listed).unwrap_or_default();
                assert_eq!(answer.header("access-control-allow-origin"), expected, "{origin:?} {path}");
                let expected = if is_listed { allowed } else { "" };
                assert_eq!(answer.header("access-control-allow-credentials"), expected, "{origin:?} {path}");
                assert!(answer.header("vary").contains("Origin"), "{origin:?} {path}");
            }
        }
    }
}

async fn a_preflight_ends_before_authentication(kind: Kind) {
    let server = Server::start(kind).await;
    for path in
        ["/api/v1/memos", "/api/v1/memos/m1", "/api/v1/memos/ba/create", "/api/v1/nothing", "/", "/health/db"]
    {
        let answer = send(&server, Method::OPTIONS, path, Some("https://app.example")).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), "GET,HEAD,PUT,PATCH,POST,DELETE", "{path}");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization,x-y", "{path}");
        assert!(answer.header("vary").contains("Access-Control-Request-Headers"), "{path}");
    }
}

async fn every_answer_has_security_headers(kind: Kind) {
    let server = Server::start(kind).await;
    let answers = [
        send(&server, Method::GET, "/api/v1/health", None).await,
        send(&server, Method::GET, "/api/v1/tags", None).await,
        send(&server, Method::GET, "/api/v1/memos/public/u1?page=x", None).await,
        send(&server, Method::OPTIONS, "/api/v1/tags", None).await,
        send(&server, Method::GET, "/", None).await,
    ];
    assert_eq!(answers.each_ref().map(|answer| answer.status.as_u16()), [200, 401, 400, 204, 404]);
    for answer in answers {
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
        assert_eq!(answer.header("x-powered-by"), "");
    }
}
