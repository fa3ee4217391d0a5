//! Paths that no route has (`contract/http-conventions.md` section 3).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::http::Access;
use testing::{Answer, Client, Kind, Server, on_every_database};

use super::writes::World;

on_every_database!(
    an_unknown_path_below_api_is_not_found_with_a_token_and_unauthorized_without,
    other_paths_are_not_found,
    one_slash_at_the_end_is_ignored,
    paths_are_case_sensitive,
    a_path_that_cannot_be_decoded_is_refused,
    head_answers_like_get,
);

async fn an_unknown_path_below_api_is_not_found_with_a_token_and_unauthorized_without(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let cases = [
        ("GET", "/api"),
        ("GET", "/api/"),
        ("GET", "/api/v1"),
        ("GET", "/api/v2/memos"),
        ("GET", "/api/v1/nothing"),
        ("POST", "/api/v1/nothing"),
        ("PATCH", "/api/v1/memos"),
        ("PUT", "/api/v1/memos"),
        ("DELETE", "/api/v1/tags"),
        ("POST", "/api/v1/tags/t1"),
        ("GET", "/api/v1/tags//"),
        ("GET", "/api/v1/tags/t1//"),
        ("DELETE", "/api/v1/categories//"),
        ("GET", "/api//v1/tags"),
        ("GET", "/api/v1/tags/t1/x"),
        ("GET", "/api/v1/auth/login"),
        ("DELETE", "/api/v1/auth/register"),
        ("POST", "/api/v1/memos/public/u1"),
        ("GET", "/api/v1/memos/public/u1/random/x"),
        ("GET", "/api/v1/memos/ba/create"),
        ("POST", "/api/v1/health"),
        ("TRACE", "/api/v1/tags"),
        ("PROPFIND", "/api/v1/tags"),
    ];
    for (method, path) in cases {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let send = async |client: &Client| outcome(&client.send(method.clone(), path, Some(json!({}))).await);
        let unknown = json!({"code": 3, "msg": "资源不存在", "data": null});
        assert_eq!(send(&ann).await, (StatusCode::NOT_FOUND, unknown), "{method} {path}");
        let refused = |message: &str| (StatusCode::UNAUTHORIZED, json!({"success": false, "message": message}));
        assert_eq!(send(&server.anonymous()).await, refused("Authentication required"), "{method} {path}");
        assert_eq!(send(&server.service()).await, refused("Invalid token"), "{method} {path}");
    }
}

fn outcome(answer: &Answer) -> (StatusCode, Value) {
    (answer.status, answer.body.clone())
}

async fn other_paths_are_not_found(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for path in
        ["/", "/home", "/health", "/health/db/x", "/apix", "/API/v1/tags", "/Api/v1/health", "//api/v1/tags"]
    {
        for client in [&ann, &server.anonymous()] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(client.send(method, path, None).await.status, 404, "{path}");
            }
        }
    }
    assert_eq!(server.anonymous().post("/health/db", json!({})).await.status, 404);
}

async fn one_slash_at_the_end_is_ignored(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for route in local::routes().iter().filter(|route| route.method == Method::GET) {
        let client = if route.access == Access::Service { world.server.service() } else { world.ann.clone() };
        let path = world.path(route.path);
        let without = outcome(&client.get(&path).await);
        assert_eq!(outcome(&client.get(&format!("{path}/")).await), without, "{path}");
    }
    for mut write in world.writes() {
        let (path, query) = write.path.split_once('?').unwrap_or((&write.path, ""));
        write.path = format!("{path}/?{query}");
        assert_eq!(write.send_json("no JSON").await.status, 400, "{}", write.path);
    }
}

async fn paths_are_case_sensitive(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    for route in local::routes().iter() {
        let path =
            route.path.replace("/api/v1/", "/api/V1/").replace("/health/db", "/Health/db").replace(['{', '}'], "");
        assert_eq!(ann.send(route.method.clone(), &path, None).await.status, 404, "{path}");
    }
    for path in ["/api/v1/Tags", "/api/v1/memos/m/Tags", "/api/v1/memos/Public/u1/random"] {
        assert_eq!(ann.get(path).await.status, 404, "{path}");
    }
}

async fn a_path_that_cannot_be_decoded_is_refused(kind: Kind) {
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let areas = [
        "tags",
        "categories",
        "memos",
        "push-rules",
        "explore/conversations",
        "memos/public",
        "memos/public/memo",
    ];
    for area in areas {
        for id in ["%E0%A4%A", "%FF", "%ED%A0%BD", "a%80b"] {
            let answer = ann.get(&format!("/api/v1/{area}/{id}")).await;
            assert_eq!((answer.status.as_u16(), &answer.body["status"]), (400, &json!("error")), "{area}/{id}");
            assert!(answer.body["message"].is_string());
        }
        // What is no escape at all is an id like any other.
        for id in ["%", "%zz", "%25", "a%2Fb", "..%2F..", "%2e%2e", "'%20OR%20'1'='1"] {
            let answer = ann.get(&format!("/api/v1/{area}/{id}")).await;
            let is_refused = answer.status == 400 || answer.status == 404 || answer.code() == 3;
            assert!(is_refused || answer.data()["items"] == json!([]), "{area}/{id}: {answer:?}");
        }
    }
    for path in ["/api/v1/%FF", "/api/v1/tags/%FF/x", "/api/%ZZ"] {
        assert_eq!(server.anonymous().get(path).await.status, 401, "{path}");
        assert_eq!(ann.get(path).await.status, 404, "{path}");
    }
}

async fn head_answers_like_get(kind: Kind) {
    let world = World::new(Server::start(kind).await).await;
    for route in local::routes().iter().filter(|route| route.method == Method::GET) {
        let path = world.path(route.path);
        for client in [&world.ann, &world.server.anonymous(), &world.server.service()] {
            let get = client.get(&path).await;
            let head = client.send(Method::HEAD, &path, None).await;
            assert_eq!(
                (head.status, head.header("content-type")),
                (get.status, get.header("content-type")),
                "{path}"
            );
        }
    }
    let head = world.ann.send(Method::HEAD, "/api/v1/tags", None).await;
    assert_eq!((head.status.as_u16(), head.body), (200, Value::Null));
    assert_eq!(world.ann.send(Method::HEAD, "/api/v1/auth/login", None).await.status, 404);
}
