//! The recordings of the existing server through the functions: one process each, events of API Gateway between.

use bench::runtime_api::HttpRequest;
use serde_json::json;
use testing::{
    Kind, directory, on_every_database,
    recordings::{Mock, SECRETS},
};

use crate::{
    Functions,
    gateway::{Gateway, Payload},
};

on_every_database!(
    the_recordings_replay_by_events_of_version_2,
    the_recordings_replay_by_events_of_version_1,
    events_of_both_versions_carry_everything,
);

async fn the_recordings_replay_by_events_of_version_2(kind: Kind) {
    replay(kind, Payload::Version2).await;
}

async fn the_recordings_replay_by_events_of_version_1(kind: Kind) {
    replay(kind, Payload::Version1).await;
}

async fn replay(kind: Kind, payload: Payload) {
    let mock = Mock::start();
    let gateway = Gateway::start(functions(kind, &mock).await, payload).await;
    let url = gateway.url.clone();
    // The replayer is a program: it must not keep the gateway from its work.
    tokio::task::spawn_blocking(move || mock.replay_functions(&url)).await.unwrap();
    gateway.functions.lock().await.assert_discreet();
}

/// Makes functions that are configured like the server that was recorded.
async fn functions(kind: Kind, mock: &Mock) -> Functions {
    let mut functions = Functions::on(kind).await;
    let files = directory("functions");
    functions.environment.retain(|(name, _)| *name == "DATABASE_URL");
    functions.environment.extend(mock.settings());
    functions.environment.extend([
        ("ATTACHMENT_STORAGE_TYPE", "local".to_owned()),
        ("ATTACHMENT_LOCAL_PATH", files.join("attachments").display().to_string()),
        ("EFS_MOUNT_PATH", "/".to_owned()),
        ("LANCEDB_URI", files.join("lancedb").display().to_string()),
    ]);
    functions.secrets = SECRETS.iter().map(|secret| (*secret).to_owned()).collect();
    functions
}

async fn events_of_both_versions_carry_everything(kind: Kind) {
    let mock = Mock::start();
    let mut functions = functions(kind, &mock).await;
    let login = functions.sign_in().await;
    let token = login.json()["data"]["token"].as_str().unwrap().to_owned();
    let cookie = || format!("other=1; aimo_token={token}");
    for version in [Payload::Version1, Payload::Version2] {
        let mut call = async |name, request: HttpRequest| {
            let event = match version {
                Payload::Version1 => request.into_event_of_version_1(),
                Payload::Version2 => request.into_event(),
            };
            functions.invoke(name, &event).await
        };
        // Repeated parameters, and a cookie instead of the header.
        for tag in ["读书", "工作"] {
            let memo = json!({"content": "x", "tags": [tag]});
            let request = HttpRequest::new("POST", "/api/v1/memos").header("Cookie", cookie()).json(&memo);
            assert_eq!(call("memos", request).await.json()["code"], 0);
        }
        let repeated = "/api/v1/memos?tags=%E8%AF%BB%E4%B9%A6&tags=%E5%B7%A5%E4%BD%9C";
        let found = call("memos", HttpRequest::get(repeated).header("Cookie", cookie())).await.json();
        assert_eq!(found["data"]["pagination"]["total"], 0, "both tags are wanted: {found}");
        // Bytes that are no text, in both directions.
        let bytes = [&[0x89, b'P', b'N', b'G', 0xff, 0x00][..], "读".as_bytes()].concat();
        let form = [
            b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a b.png\"\r\n".as_slice(),
            b"content-type: image/png\r\n\r\n",
            &bytes,
            b"\r\n--b--\r\n",
        ]
        .concat();
        let upload = HttpRequest::new("POST", "/api/v1/attachments/upload").header("Cookie", cookie());
        let uploaded = call("attachments", upload.body("multipart/form-data; boundary=b", form)).await.json();
        assert_eq!(uploaded["code"], 0, "{uploaded}");
        let url = uploaded["data"]["attachment"]["url"].as_str().unwrap();
        let path = &url[url.find("/api/").unwrap()..];
        let download = call("attachments", HttpRequest::get(path)).await;
        assert_eq!((download.status, download.body), (200, bytes), "{path}");
        // An encoded path, and what nobody has.
        let path = "/api/v1/tags/%E8%AF%BB%20%2F";
        let unknown = call("tags", HttpRequest::get(path).header("Cookie", cookie())).await;
        assert_eq!(unknown.json()["code"], 3, "{:?}", unknown.json());
        let nowhere = call("system", HttpRequest::get("/api/v1/no/such").header("Cookie", cookie())).await;
        assert_eq!(nowhere.status, 404);
        let sign_out = HttpRequest::new("PATCH", "/api/v1/auth/login").header("Cookie", cookie());
        assert_eq!(call("auth", sign_out).await.status, 404);
    }
}
