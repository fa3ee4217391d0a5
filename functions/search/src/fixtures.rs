//! Objects for unit tests.

use shared::{clock::Millis, ids::MemoId, repositories::memos::MemoRecord};

/// Makes a plain memo.
pub fn memo(id: &str, content: &str, created_at: Millis) -> MemoRecord {
    MemoRecord {
        memo_id: MemoId::from(id),
        uid: "u1".into(),
        category_id: None,
        content: content.to_owned(),
        memo_type: "text".to_owned(),
        source: None,
        is_public: false,
        attachments: Vec::new(),
        created_at,
        updated_at: created_at,
    }
}
