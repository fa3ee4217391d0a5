//! Whom a route serves (`contract/http-conventions.md` sections 3 to 6). The cases are generated from
//! the route table: a new route fails here until [`ROUTES`] says what its path can reach.

use std::collections::HashMap;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use shared::http::{Access, Route};
use testing::{Answer, Client, Kind, SERVICE_TOKEN, Server, Settings, on_every_database};

use crate::objects::{Noun, category, conversation, everything, memo_id, push_rule, tag, text, upload};

mod bodies;

on_every_database!(
    a_route_of_users_wants_a_token_before_it_reads_anything,
    a_service_route_wants_the_service_token_before_it_reads_anything,
    service_routes_are_closed_until_they_are_enabled,
    a_foreign_id_answers_like_an_unknown_one_and_changes_nothing,
    an_id_is_compared_to_the_letter,
);

/// Every route, the noun whose id its path takes, and a body that the route accepts.
const ROUTES: &[(&str, &str, Option<Noun>, &str)] = &[
    ("POST", "/api/v1/auth/register", None, ""),
    ("POST", "/api/v1/auth/login", None, ""),
    ("GET", "/api/v1/user/info", None, ""),
    ("PUT", "/api/v1/user/info", None, ""),
    ("POST", "/api/v1/user/password", None, ""),
    ("POST", "/api/v1/user/avatar", None, ""),
    ("GET", "/api/v1/categories", None, ""),
    ("POST", "/api/v1/categories", None, ""),
    ("GET", "/api/v1/categories/{categoryId}", Some(Noun::Category), ""),
    ("PUT", "/api/v1/categories/{categoryId}", Some(Noun::Category), r#"{"name": "taken", "color": "red"}"#),
    ("DELETE", "/api/v1/categories/{categoryId}", Some(Noun::Category), ""),
    ("GET", "/api/v1/tags", None, ""),
    ("POST", "/api/v1/tags", None, ""),
    ("GET", "/api/v1/tags/{tagId}", Some(Noun::Tag), ""),
    ("PUT", "/api/v1/tags/{tagId}", Some(Noun::Tag), r#"{"name": "taken", "color": "red"}"#),
    ("DELETE", "/api/v1/tags/{tagId}", Some(Noun::Tag), ""),
    ("GET", "/api/v1/memos", None, ""),
    ("POST", "/api/v1/memos", None, ""),
    ("GET", "/api/v1/memos/{memoId}", Some(Noun::Memo), ""),
    ("PUT", "/api/v1/memos/{memoId}", Some(Noun::Memo), r#"{"content": "taken", "tags": ["taken"]}"#),
    ("DELETE", "/api/v1/memos/{memoId}", Some(Noun::Memo), ""),
    ("PUT", "/api/v1/memos/{memoId}/tags", Some(Noun::Memo), r#"{"tags": ["taken"]}"#),
    ("GET", "/api/v1/memos/{memoId}/backlinks", Some(Noun::Memo), ""),
    ("GET", "/api/v1/memos/{memoId}/related", Some(Noun::Memo), ""),
    ("POST", "/api/v1/memos/search/vector", None, ""),
    ("GET", "/api/v1/memos/public/{uid}", Some(Noun::User), ""),
    ("GET", "/api/v1/memos/public/{uid}/random", Some(Noun::User), ""),
    ("GET", "/api/v1/memos/public/memo/{memoId}", Some(Noun::Memo), ""),
    ("POST", "/api/v1/memos/ba/create", None, ""),
    ("POST", "/api/v1/attachments/upload", None, ""),
    ("GET", "/api/v1/attachments", None, ""),
    ("GET", "/api/v1/attachments/{attachmentId}", Some(Noun::Attachment), ""),
    ("DELETE", "/api/v1/attachments/{attachmentId}", Some(Noun::Attachment), ""),
    ("GET", "/api/v1/attachments/{attachmentId}/download", Some(Noun::Attachment), ""),
    (
        "PATCH",
        "/api/v1/attachments/{attachmentId}/properties",
        Some(Noun::Attachment),
        r#"{"properties": {"taken": true}}"#,
    ),
    ("POST", "/api/v1/attachments/ba/upload", None, ""),
    ("POST", "/api/v1/attachments/uploads", None, ""),
    ("POST", "/api/v1/attachments/uploads/{attachmentId}/complete", Some(Noun::Attachment), ""),
    ("GET", "/api/v1/files/{*key}", Some(Noun::Attachment), ""),
    ("POST", "/api/v1/files/{*key}", Some(Noun::Attachment), ""),
    ("GET", "/api/v1/explore/conversations", None, ""),
    ("POST", "/api/v1/explore/conversations", None, ""),
    ("GET", "/api/v1/explore/conversations/{conversationId}", Some(Noun::Conversation), ""),
    ("PUT", "/api/v1/explore/conversations/{conversationId}", Some(Noun::Conversation), r#"{"title": "taken"}"#),
    ("DELETE", "/api/v1/explore/conversations/{conversationId}", Some(Noun::Conversation), ""),
    (
        "POST",
        "/api/v1/explore/conversations/{conversationId}/messages",
        Some(Noun::Conversation),
        r#"{"role": "user", "content": "taken"}"#,
    ),
    ("POST", "/api/v1/explore", None, ""),
    ("POST", "/api/v1/explore/quick-search", None, ""),
    ("GET", "/api/v1/explore/relations/{memoId}", Some(Noun::Memo), ""),
    ("GET", "/api/v1/push-rules", None, ""),
    ("POST", "/api/v1/push-rules", None, ""),
    ("GET", "/api/v1/push-rules/{id}", Some(Noun::PushRule), ""),
    ("PUT", "/api/v1/push-rules/{id}", Some(Noun::PushRule), r#"{"name": "taken", "enabled": false}"#),
    ("DELETE", "/api/v1/push-rules/{id}", Some(Noun::PushRule), ""),
    ("POST", "/api/v1/push-rules/{id}/test", Some(Noun::PushRule), ""),
    ("GET", "/api/v1/insights/activity", None, ""),
    ("GET", "/api/v1/insights/on-this-day", None, ""),
    ("GET", "/api/v1/insights/daily-recommendations", None, ""),
    ("POST", "/api/v1/ai/generate-tags", None, ""),
    ("GET", "/api/v1/ai/tools", None, ""),
    ("POST", "/api/v1/asr/transcribe", None, ""),
    ("POST", "/api/v1/asr/transcribe-and-wait", None, ""),
    ("GET", "/api/v1/asr/task/{taskId}", None, ""),
    ("GET", "/api/v1/asr/wait/{taskId}", None, ""),
    ("GET", "/api/v1/asr/result/{taskId}", None, ""),
    ("POST", "/api/v1/ocr/parse", None, ""),
    ("POST", "/api/v1/ocr/parse-full", None, ""),
    ("GET", "/api/v1/ocr/status", None, ""),
    ("GET", "/api/v1/ocr/providers", None, ""),
    ("GET", "/api/v1/health", None, ""),
    ("GET", "/health/db", None, ""),
    ("GET", "/api/v1/system/version", None, ""),
    ("GET", "/api/v1/system/open/version", None, ""),
    ("GET", "/api/v1/system/app-versions", None, ""),
    ("GET", "/api/v1/system/open/app-versions", None, ""),
    ("GET", "/api/v1/debug/ba/schema", None, ""),
    ("GET", "/api/v1/debug/ba/data", None, ""),
    ("GET", "/api/v1/openapi.json", None, ""),
    ("GET", "/api/v1/docs", None, ""),
];

#[test]
fn every_route_has_an_entry_and_every_entry_a_route() {
    let mut entries: Vec<String> = ROUTES.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    let mut routes: Vec<String> =
        local::routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    entries.sort_unstable();
    routes.sort_unstable();
    assert_eq!(entries, routes);
    for (method, path, noun, _) in ROUTES {
        // Tasks are the provider's: their ids cannot be guessed, and no row says whose they are
        // (contract/ai-asr-ocr-system.md V4).
        let has_id = path.contains('{') && !path.contains("{taskId}");
        assert_eq!(noun.is_some(), has_id, "{method} {path}: the noun of the id in its path");
    }
}

fn routes_of(access: Access) -> Vec<Route> {
    local::routes().iter().filter(|route| route.access == access).cloned().collect()
}

/// Replaces the parameter of a path.
fn with_id(path: &str, id: &str) -> String {
    let Some((before, rest)) = path.split_once('{') else { return path.to_owned() };
    let (_, after) = rest.split_once('}').expect("a parameter ends");
    format!("{before}{id}{after}")
}

fn refusal_of(message: &str) -> (StatusCode, Value) {
    (StatusCode::UNAUTHORIZED, json!({"success": false, "message": message}))
}

/// Sends a request that nothing but the check of the token can refuse in a sensible way.
async fn send_unreadable(server: &Server, route: &Route, authorization: Option<&str>) -> (StatusCode, Value) {
    let path = format!("{}?page=x&days=x", with_id(route.path, "x"));
    let request = server.anonymous().request(route.method.clone(), &path);
    let request = request.header("content-type", "application/json");
    let request = match authorization {
        Some(authorization) => request.header("authorization", authorization),
        None => request,
    };
    let answer = server.send(request.body("{malformed".into()).unwrap()).await;
    (answer.status, answer.body)
}

async fn a_route_of_users_wants_a_token_before_it_reads_anything(kind: Kind) {
    let server = Server::start(kind).await;
    let nobody = server.app.tokens.issue(&Noun::User.unknown_id().into(), server.app.context.now()).unwrap();
    let cases = [
        (None, "Authentication required"),
        (Some("Bearer garbage".to_owned()), "Invalid token"),
        (Some(format!("Bearer {SERVICE_TOKEN}")), "Invalid token"),
        (Some(format!("Bearer {nobody}")), "User not found"),
    ];
    for route in routes_of(Access::User) {
        for (authorization, message) in &cases {
            let answer = send_unreadable(&server, &route, authorization.as_deref()).await;
            assert_eq!(answer, refusal_of(message), "{route:?}");
        }
    }
}

async fn a_service_route_wants_the_service_token_before_it_reads_anything(kind: Kind) {
    const FORMAT: &str = "Invalid authorization format. Expected: Bearer <token>";
    let server = Server::start(kind).await;
    let ann = server.user().await;
    let user_token = server.app.tokens.issue(&ann.uid.as_str().into(), server.app.context.now()).unwrap();
    let cases = [
        (None, "Authorization header is required"),
        (Some(String::new()), FORMAT),
        (Some("Bearer".to_owned()), FORMAT),
        (Some(SERVICE_TOKEN.to_owned()), FORMAT),
        (Some(format!("bearer {SERVICE_TOKEN}")), FORMAT),
        (Some(format!("Basic {SERVICE_TOKEN}")), FORMAT),
        (Some(format!("Bearer {SERVICE_TOKEN} x")), FORMAT),
        (Some(format!("Bearer  {SERVICE_TOKEN}")), FORMAT),
        (Some(format!("Bearer {SERVICE_TOKEN}x")), "Invalid BA token"),
        (Some(format!("Bearer {}", &SERVICE_TOKEN[1..])), "Invalid BA token"),
        (Some(format!("Bearer {user_token}")), "Invalid BA token"),
    ];
    for route in routes_of(Access::Service) {
        for (authorization, message) in &cases {
            let answer = send_unreadable(&server, &route, authorization.as_deref()).await;
            assert_eq!(answer, refusal_of(message), "{route:?} {authorization:?}");
        }
    }
}

async fn service_routes_are_closed_until_they_are_enabled(kind: Kind) {
    for value in ["false", "TRUE", "1"] {
        let variables = vec![("BA_AUTH_ENABLED", value.to_owned())];
        let server = Server::start_with(kind, Settings { variables, ..Settings::default() }).await;
        for route in routes_of(Access::Service) {
            let token = format!("Bearer {SERVICE_TOKEN}");
            let answer = send_unreadable(&server, &route, Some(&token)).await;
            assert_eq!(answer, refusal_of("BA authentication is not configured"), "{route:?} {value:?}");
        }
    }
}

/// Creates an object of every noun, the memo from a given body.
async fn objects_of(user: &Client, memo: Value) -> HashMap<Noun, String> {
    HashMap::from([
        (Noun::User, user.uid.clone()),
        (Noun::Category, category(user, "Ann's category").await),
        (Noun::Tag, tag(user, "Ann's tag").await),
        (Noun::Memo, memo_id(user, memo).await),
        (Noun::Conversation, conversation(user).await),
        (Noun::PushRule, push_rule(user).await),
        (Noun::Attachment, text(&upload(user, "a.txt", "text/plain", b"Ann's file").await, "attachmentId")),
    ])
}

async fn send(user: &Client, method: &str, path: &str, body: &str) -> Answer {
    let body = serde_json::from_str(body).ok();
    user.send(Method::from_bytes(method.as_bytes()).unwrap(), path, body).await
}

async fn a_foreign_id_answers_like_an_unknown_one_and_changes_nothing(kind: Kind) {
    let server = Server::start(kind).await;
    let (ann, bob) = (server.user().await, server.user().await);
    let objects = objects_of(&ann, json!({"content": "Ann's memo", "tags": ["a"]})).await;
    let before = (everything(&ann).await, everything(&bob).await);
    for (method, path, noun, body) in ROUTES {
        let Some(noun) = noun else { continue };
        let foreign = send(&bob, method, &with_id(path, &objects[noun]), body).await;
        let unknown = send(&bob, method, &with_id(path, &noun.unknown_id()), body).await;
        assert_eq!((foreign.status, &foreign.body), (unknown.status, &unknown.body), "{method} {path}");
        // Only the list of the public memos of nobody is a success, and a test push has a refusal of its own, as has
        // the graph around a memo (Contract: explore.md E17).
        let is_refused = [1, 3, 4002].contains(&foreign.code()) || foreign.body["msg"] == "Push rule not found";
        assert!(is_refused || foreign.data()["items"] == json!([]), "{method} {path}: {foreign:?}");
        assert_eq!((everything(&ann).await, everything(&bob).await), before, "{method} {path}");
    }
}

async fn an_id_is_compared_to_the_letter(kind: Kind) {
    let ann = Server::start(kind).await.user().await;
    let objects = objects_of(&ann, json!({"content": "Ann's memo", "isPublic": true})).await;
    let before = everything(&ann).await;
    let mut wrong = Vec::new();
    for (method, path, noun, body) in ROUTES {
        let Some(noun) = noun else { continue };
        let unknown = send(&ann, method, &with_id(path, &noun.unknown_id()), body).await;
        let id = &objects[noun];
        for id in [format!("{id}%20"), format!("%20{id}"), id.to_uppercase(), format!("{id}'"), format!("{id}%25")]
        {
            let answer = send(&ann, method, &with_id(path, &id), body).await;
            if (answer.status, &answer.body) != (unknown.status, &unknown.body) {
                wrong.push(format!("{method} {}: {}", with_id(path, &id), answer.body));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(everything(&ann).await, before);
}
