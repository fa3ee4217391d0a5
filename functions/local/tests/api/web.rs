//! A web client beside the API (`contract/attachments.md` section 7).

use std::{fs, path::PathBuf};

use axum::http::{Method, StatusCode};
use testing::{Kind, Server, Settings, directory, on_every_database};

on_every_database!(a_web_client_is_served_beside_the_api, a_web_client_that_is_not_built_is_named);

async fn start(kind: Kind) -> (Server, PathBuf) {
    let root = directory("web");
    fs::create_dir_all(root.join("assets")).unwrap();
    let variables = vec![("WEB_DIR", root.display().to_string())];
    (Server::start_with(kind, Settings { variables, ..Settings::default() }).await, root)
}

async fn a_web_client_is_served_beside_the_api(kind: Kind) {
    let (server, root) = start(kind).await;
    fs::write(root.join("index.html"), "<!doctype html>").unwrap();
    fs::write(root.join("assets/app.js"), "app()").unwrap();
    fs::write(root.join("读.svg"), "<svg/>").unwrap();
    fs::write(root.parent().unwrap().join("outside.txt"), "a secret").unwrap();
    let anonymous = server.anonymous();
    let page = ("text/html; charset=utf-8", "no-cache", "<!doctype html>");
    let script = ("text/javascript; charset=utf-8", "public, max-age=31536000, immutable", "app()");
    for (path, (content_type, cache_control, content)) in [
        ("/", page),
        ("/index.html", page),
        ("/home", page),
        ("/memos/m1?x=y", page),
        ("/assets", page),
        ("/../outside.txt", page),
        ("/..%2Foutside.txt", page),
        ("/assets/%2e%2e/%2e%2e/outside.txt", page),
        ("/%FF", page),
        ("/health", page),
        ("/assets/app.js", script),
        ("/%E8%AF%BB.svg", ("image/svg+xml", "public, max-age=86400", "<svg/>")),
    ] {
        let answer = anonymous.get(path).await;
        assert_eq!((answer.status, answer.bytes.as_slice()), (StatusCode::OK, content.as_bytes()), "{path}");
        assert_eq!(
            (answer.header("content-type").as_str(), answer.header("cache-control").as_str()),
            (content_type, cache_control),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("content-security-policy").starts_with("default-src 'self';"));
        let head = anonymous.send(Method::HEAD, path, None).await;
        assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, content.len().to_string()));
    }
    // The API answers as without it.
    assert!(anonymous.get("/api/v1/health").await.data()["status"].is_string());
    assert_eq!(anonymous.get("/api/v1/nothing").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(server.user().await.get("/api/v1/nothing").await.body["code"], 3);
    assert_eq!(anonymous.get("/health/db").await.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(anonymous.send(Method::POST, "/home", None).await.status, StatusCode::NOT_FOUND);
    fs::remove_dir_all(root).unwrap();
}

async fn a_web_client_that_is_not_built_is_named(kind: Kind) {
    let (server, root) = start(kind).await;
    let answer = server.anonymous().get("/home").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.bytes, b"Not Found: index.html not found. Make sure web application is built.");
    fs::remove_dir_all(root).unwrap();
}
