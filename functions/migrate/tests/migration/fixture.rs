//! The fixture: every row and field arrives, and the product works on the result.

use std::collections::BTreeMap;

use migrate::report::Status;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use testing::{Client, Kind, Server, Settings, encoded, on_every_database};
use vectors::{VectorKind, VectorTable};

use crate::{
    harness::Install,
    manifest::{Manifest, sources},
};

on_every_database!(every_row_and_field_of_the_fixture_arrives, old_clients_find_everything,);

async fn every_row_and_field_of_the_fixture_arrives(kind: Kind) {
    let (install, manifest) = (Install::fixture(kind).await, Manifest::read());
    let report = install.migrate().await.unwrap();
    assert_eq!(report.status, Status::Migrated);

    for (table, columns, rows) in manifest.database() {
        let first = columns.split(',').next().unwrap();
        let order = if table == "memo_tags" { "memo_id, position" } else { first };
        let stored = install.rows(&format!("SELECT {columns} FROM {table} ORDER BY {order}")).await;
        assert_eq!(report.tables[table].inserted, rows.len() as u64, "{table}");
        for (row, expected) in stored.as_array().unwrap().iter().zip(&rows) {
            assert_eq!(row, expected, "{table}");
        }
        assert_eq!(stored.as_array().unwrap().len(), rows.len(), "{table}");
    }
    for table in ["users", "categories", "tags", "memos", "memo_relations", "attachments", "ai_conversations"]
        .into_iter()
        .chain(["ai_messages", "push_rules", "daily_recommendations"])
    {
        let found = &report.tables[table];
        assert_eq!((found.source, found.skipped.len()), (manifest.count(table), 0), "{table}");
    }
    let orphans = |table: &str| json!(report.tables[table].orphans);
    // Two memos have a tag that was deleted, three an attachment that was.
    assert_eq!(orphans("memo_tags"), json!({"tag_id": 2}));
    assert_eq!(orphans("memos"), json!({"attachments": 2}));
    assert_eq!(report.vector_tables["memos"].copied, manifest.count("memos"));
    assert_eq!(report.versions.len(), 13);
    let versions: BTreeMap<String, i64> = manifest
        .rows("table_migrations")
        .iter()
        .map(|row| (row["tableName"].as_str().unwrap().to_owned(), row["currentVersion"].as_i64().unwrap()))
        .collect();
    assert_eq!(report.table_migrations, versions);

    find_vectors(&install, &manifest).await;
    let again = install.migrate().await.unwrap();
    assert_eq!((again.status, again.tables), (Status::AlreadyMigrated, report.tables));
}

/// Every old vector is found by its id, bit for bit, and is the nearest to itself.
async fn find_vectors(install: &Install, manifest: &Manifest) {
    let table = VectorTable::open(&install.store().await, VectorKind::Memo).await.unwrap().unwrap();
    let ids: Vec<&str> = manifest.rows("memos").iter().map(|memo| memo["memoId"].as_str().unwrap()).collect();
    let found = table.find(&ids).await.unwrap();
    assert_eq!((found.len(), table.count().await.unwrap()), (ids.len(), ids.len() as u64));
    for row in found {
        let memo = manifest.find("memos", "memoId", &row.id);
        let bytes: Vec<u8> = row.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        assert_eq!(json!(hex::encode(Sha256::digest(bytes))), memo["embedding"]["sha256"], "{}", row.id);
        assert_eq!((json!(row.uid), json!(row.updated_at)), (memo["uid"].clone(), memo["updatedAt"].clone()));
        let nearest = table.nearest(&row.uid, "", &row.vector, 1).await.unwrap();
        assert_eq!((nearest[0].id.as_str(), nearest[0].distance), (row.id.as_str(), 0.0));
    }
}

async fn old_clients_find_everything(kind: Kind) {
    let (install, manifest) = (Install::fixture(kind).await, Manifest::read());
    let install = install.with("MIGRATION_SKIP_BACKUP", "true");
    install.migrate().await.unwrap();
    let settings = Settings { database_url: Some(install.database.url.clone()), ..Settings::default() };
    let server = Server::start_with(kind, settings).await;
    for (email, password) in manifest.logins() {
        let user = manifest.find("users", "email", email);
        let wrong = json!({"email": email, "password": format!("{password}x")});
        server.anonymous().post("/api/v1/auth/login", wrong).await.refusal();
        let client = server.log_in(email, password).await;
        let info = client.get("/api/v1/user/info").await.data().clone();
        for field in ["uid", "email", "nickname"] {
            assert_eq!(info.get(field).unwrap_or(&Json::Null), &user[field], "{field} of {email}");
        }
        let uid = user["uid"].as_str().unwrap();
        memos_of(&client, &manifest, uid).await;
        conversations_of(&client, &manifest, uid).await;
        lists_of(&client, &manifest, uid).await;
    }
}

/// Returns the rows of a user, newest first.
fn owned<'m>(manifest: &'m Manifest, table: &str, uid: &str, by: &str) -> Vec<&'m Json> {
    let mut rows: Vec<&Json> = manifest.rows(table).iter().filter(|row| row["uid"] == uid).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row[by].as_i64()));
    rows
}

/// Returns one member of each object.
fn each(list: &Json, member: &str) -> Vec<Json> {
    list.as_array().unwrap_or_else(|| panic!("a list: {list}")).iter().map(|item| item[member].clone()).collect()
}

fn same<T: Ord>(mut a: Vec<T>, mut b: Vec<T>) -> bool {
    a.sort();
    b.sort();
    a == b
}

async fn memos_of(client: &Client, manifest: &Manifest, uid: &str) {
    let memos = owned(manifest, "memos", uid, "createdAt");
    let page = client.get("/api/v1/memos?page=1&limit=100&sortBy=createdAt&sortOrder=desc").await.data().clone();
    let ids: Vec<Json> = memos.iter().map(|memo| memo["memoId"].clone()).collect();
    assert_eq!(each(&page["items"], "memoId"), ids);
    for (item, memo) in page["items"].as_array().unwrap().iter().zip(&memos) {
        for field in ["content", "createdAt", "updatedAt", "isPublic"] {
            assert_eq!(item[field], memo[field], "{field} of {}", memo["memoId"]);
        }
        assert_eq!(item.get("source").unwrap_or(&Json::Null), &memo["source"]);
        assert_eq!(item.get("categoryId").unwrap_or(&Json::Null), &memo["categoryId"]);
        let has_row =
            |table: &str, column: &str, id: &Json| manifest.rows(table).iter().any(|row| row[column] == *id);
        let carried = memo["tagIds"].as_array().into_iter().flatten();
        let carried: Vec<Json> = carried.filter(|id| has_row("tags", "tagId", id)).cloned().collect();
        assert_eq!(each(&item["tags"], "tagId"), carried, "tags of {}", memo["memoId"]);
        let files = memo["attachments"].as_array().into_iter().flatten();
        let files: Vec<Json> = files.filter(|id| has_row("attachments", "attachmentId", id)).cloned().collect();
        assert_eq!(each(&item["attachments"], "attachmentId"), files, "attachments of {}", memo["memoId"]);
        let related = manifest.rows("memo_relations").iter().filter(|row| row["sourceMemoId"] == memo["memoId"]);
        let related: Vec<String> = related.map(|row| row["targetMemoId"].to_string()).collect();
        let shown = item.get("relations").map(|relations| each(relations, "memoId")).unwrap_or_default();
        assert!(same(shown.iter().map(Json::to_string).collect(), related), "relations of {}", memo["memoId"]);
    }
    for tag in owned(manifest, "tags", uid, "createdAt") {
        let name = tag["name"].as_str().unwrap();
        let page = client.get(&format!("/api/v1/memos?limit=100&tags={}", encoded(name))).await.data().clone();
        let carriers =
            memos.iter().filter(|memo| memo["tagIds"].as_array().is_some_and(|ids| ids.contains(&tag["tagId"])));
        let carriers = carriers.map(|memo| memo["memoId"].to_string()).collect();
        let found = each(&page["items"], "memoId").iter().map(Json::to_string).collect();
        assert!(same(found, carriers), "memos of the tag {name}");
    }
    let public: Vec<&&Json> = memos.iter().filter(|memo| memo["isPublic"] == true).collect();
    let page = client.get(&format!("/api/v1/memos/public/{uid}?limit=100")).await.data().clone();
    assert_eq!(page["pagination"]["total"], public.len());
    for memo in public {
        let path = format!("/api/v1/memos/public/memo/{}", memo["memoId"].as_str().unwrap());
        assert_eq!(client.get(&path).await.data()["memo"]["content"], memo["content"]);
    }
}

async fn conversations_of(client: &Client, manifest: &Manifest, uid: &str) {
    let conversations = owned(manifest, "ai_conversations", uid, "updatedAt");
    let listed = client.get("/api/v1/explore/conversations").await.data().clone();
    let ids: Vec<Json> = conversations.iter().map(|row| row["conversationId"].clone()).collect();
    assert_eq!(each(&listed["items"], "conversationId"), ids);
    for conversation in conversations {
        let id = conversation["conversationId"].as_str().unwrap();
        let detail = client.get(&format!("/api/v1/explore/conversations/{id}")).await.data().clone();
        assert_eq!(detail["title"], conversation["title"]);
        let mut messages: Vec<&Json> =
            manifest.rows("ai_messages").iter().filter(|message| message["conversationId"] == id).collect();
        messages.sort_by_key(|message| message["createdAt"].as_i64());
        let shown = detail["messages"].as_array().unwrap();
        assert_eq!(shown.len(), messages.len());
        for (shown, message) in shown.iter().zip(messages) {
            for field in ["messageId", "role", "content", "createdAt"] {
                assert_eq!(shown[field], message[field]);
            }
            assert_eq!(shown.get("sources").cloned().unwrap_or_else(|| json!([])), sources(message));
        }
    }
}

async fn lists_of(client: &Client, manifest: &Manifest, uid: &str) {
    for (path, list, table, id) in [
        ("/api/v1/categories", "categories", "categories", "categoryId"),
        ("/api/v1/tags", "tags", "tags", "tagId"),
    ] {
        let shown = client.get(path).await.data()[list].clone();
        let rows = owned(manifest, table, uid, "createdAt");
        assert_eq!(shown.as_array().unwrap().len(), rows.len(), "{path}");
        for row in rows {
            let item = shown.as_array().unwrap().iter().find(|item| item[id] == row[id]).unwrap();
            for field in ["name", "createdAt", "updatedAt"] {
                assert_eq!(item[field], row[field], "{field} of {}", row[id]);
            }
        }
    }
    let shown = client.get("/api/v1/push-rules").await.data()["pushRules"].clone();
    let rows = owned(manifest, "push_rules", uid, "createdAt");
    let shown = shown.as_array().unwrap();
    assert_eq!(shown.len(), rows.len());
    for row in rows {
        let item = shown.iter().find(|item| item["id"] == row["id"]).unwrap();
        let channels: Json =
            row["channels"].as_str().map_or(json!([]), |text| serde_json::from_str(text).unwrap());
        assert_eq!((&item["channels"], &item["enabled"]), (&channels, &json!(row["enabled"] == 1)));
        assert_eq!((&item["pushTime"], &item["contentType"]), (&row["pushTime"], &row["contentType"]));
    }
}
