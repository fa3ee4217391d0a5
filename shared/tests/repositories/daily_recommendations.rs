//! `daily_recommendations`

use futures::future::join_all;
use sea_query::Query;
use shared::{
    clock::Millis,
    db::{Error, Executor},
    ids::{MemoId, RecommendationId, SystemRandom, Uid},
    repositories::daily_recommendations::{self, Recommendation},
};
use testing::{Kind, on_every_database};

use crate::{NOW, TIMES, assert_corrupt, open, overwrite};

on_every_database!(
    a_second_upsert_replaces_the_memos_alone,
    concurrent_upserts_make_one_row,
    creating_twice_keeps_the_first,
    concurrent_creations_keep_one,
    the_index_refuses_a_second_row_of_a_day,
    all_days_come_newest_first,
    rows_come_back_as_written,
    a_corrupt_list_of_memos_is_named,
    recommendations_of_others_are_invisible,
);

const TODAY: &str = "2026-09-21";

fn recommendation(uid: &Uid, date: &str, memos: &[&str], created_at: Millis) -> Recommendation {
    Recommendation {
        recommendation_id: RecommendationId::new(&SystemRandom),
        uid: uid.clone(),
        date: date.to_owned(),
        memo_ids: memos.iter().map(|id| MemoId::from(*id)).collect(),
        created_at,
    }
}

/// Returns the choice of a user among those of several.
async fn find(db: &Executor, uid: &Uid, date: &str) -> Option<Result<Recommendation, Error>> {
    let uids = [uid.clone(), Uid::new(&SystemRandom)];
    let mut found = daily_recommendations::find_by_date(db, &uids, date).await.unwrap();
    assert!(found.len() <= 1 && found.iter().all(|(owner, _)| owner == uid));
    found.pop().map(|(_, found)| found)
}

async fn a_second_upsert_replaces_the_memos_alone(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let first = recommendation(&ann, TODAY, &["m1", "m2"], NOW);
    let second = recommendation(&ann, TODAY, &["m3", "m1"], NOW + 1);
    daily_recommendations::upsert(&db, std::slice::from_ref(&first)).await.unwrap();
    daily_recommendations::upsert(&db, std::slice::from_ref(&second)).await.unwrap();
    let expected = Recommendation { memo_ids: second.memo_ids, ..first };
    assert_eq!(daily_recommendations::find_by_user(&db, &ann).await.unwrap(), [expected]);
}

async fn concurrent_upserts_make_one_row(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for round in 0..20 {
        let date = format!("2026-10-{:02}", round + 1);
        let made = [["m1"], ["m2"]].map(|memos| recommendation(&ann, &date, &memos, NOW));
        let upserts = made.iter().map(|one| {
            let (db, one) = (db.clone(), one.clone());
            tokio::spawn(async move { daily_recommendations::upsert(&db, std::slice::from_ref(&one)).await })
        });
        for outcome in join_all(upserts).await {
            outcome.unwrap().unwrap();
        }
        let found = find(&db, &ann, &date).await.unwrap().unwrap();
        assert!(made.iter().any(|one| one.recommendation_id == found.recommendation_id));
        assert!(made.iter().any(|one| one.memo_ids == found.memo_ids));
        assert_eq!(daily_recommendations::find_by_user(&db, &ann).await.unwrap().len(), round + 1);
    }
}

async fn creating_twice_keeps_the_first(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let first = recommendation(&ann, TODAY, &["m1"], NOW);
    daily_recommendations::create(&db, std::slice::from_ref(&first)).await.unwrap();
    daily_recommendations::create(&db, &[recommendation(&ann, TODAY, &["m2"], NOW + 1)]).await.unwrap();
    assert_eq!(daily_recommendations::find_by_user(&db, &ann).await.unwrap(), [first]);
}

async fn concurrent_creations_keep_one(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let creations = (0..16).map(|number: usize| {
        let one = recommendation(&ann, TODAY, &[&number.to_string()], NOW);
        let db = db.clone();
        tokio::spawn(async move { daily_recommendations::create(&db, std::slice::from_ref(&one)).await })
    });
    for outcome in join_all(creations).await {
        outcome.unwrap().unwrap();
    }
    assert_eq!(daily_recommendations::find_by_user(&db, &ann).await.unwrap().len(), 1);
}

async fn the_index_refuses_a_second_row_of_a_day(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let insert = async |uid: &Uid, date: &str| {
        let insert = Query::insert()
            .into_table("daily_recommendations")
            .columns(["recommendation_id", "uid", "date", "memo_ids", "created_at"])
            .values_panic([
                RecommendationId::new(&SystemRandom).as_str().into(),
                uid.into(),
                date.into(),
                "[]".into(),
                NOW.into(),
            ])
            .to_owned();
        db.execute("test.insert", &insert).await
    };
    insert(&ann, TODAY).await.unwrap();
    let error = insert(&ann, TODAY).await.unwrap_err();
    assert!(error.is_unique_violation(), "{error:?}");
    insert(&ann, "2026-09-22").await.unwrap();
    insert(&bob, TODAY).await.unwrap();
}

async fn all_days_come_newest_first(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    for date in ["2026-09-21", "2025-12-31", "2026-10-01"] {
        daily_recommendations::upsert(&db, &[recommendation(&ann, date, &[], NOW)]).await.unwrap();
    }
    let found = daily_recommendations::find_by_user(&db, &ann).await.unwrap();
    let dates: Vec<&str> = found.iter().map(|one| one.date.as_str()).collect();
    assert_eq!(dates, ["2026-10-01", "2026-09-21", "2025-12-31"]);
}

async fn rows_come_back_as_written(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let many: Vec<String> = (0..1001).map(|number| format!("m{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let lists = [&[][..], &["m2", "m1", "m2"], &["\"quoted\\'", "读书 😀"], &many];
    for (number, (memos, time)) in lists.iter().cycle().zip(TIMES).enumerate() {
        let made = recommendation(&ann, &format!("2026-09-{number:02}"), memos, time);
        daily_recommendations::create(&db, std::slice::from_ref(&made)).await.unwrap();
        assert_eq!(find(&db, &ann, &made.date).await.unwrap().unwrap(), made);
    }
}

async fn a_corrupt_list_of_memos_is_named(kind: Kind) {
    let (db, ann, _) = open(kind).await;
    let made = recommendation(&ann, TODAY, &["m1"], NOW);
    daily_recommendations::create(&db, std::slice::from_ref(&made)).await.unwrap();
    let id = &made.recommendation_id;
    for corrupt in ["[\"m1\"", "{}", "[1]", ""] {
        overwrite(&db, ("daily_recommendations", "memo_ids"), ("recommendation_id", id.as_str()), corrupt).await;
        let value = format!("daily_recommendations.memo_ids of {id}");
        assert_corrupt(find(&db, &ann, TODAY).await.unwrap(), &value);
        assert_corrupt(daily_recommendations::find_by_user(&db, &ann).await, &value);
    }
}

async fn recommendations_of_others_are_invisible(kind: Kind) {
    let (db, ann, bob) = open(kind).await;
    let made = recommendation(&ann, TODAY, &["m1"], NOW);
    daily_recommendations::create(&db, std::slice::from_ref(&made)).await.unwrap();
    assert!(find(&db, &bob, TODAY).await.is_none());
    assert_eq!(daily_recommendations::find_by_user(&db, &bob).await.unwrap(), []);
    daily_recommendations::upsert(&db, &[recommendation(&bob, TODAY, &["m2"], NOW)]).await.unwrap();
    assert!(daily_recommendations::delete(&db, &bob, TODAY).await.unwrap());
    assert!(!daily_recommendations::delete(&db, &bob, TODAY).await.unwrap());
    assert_eq!(daily_recommendations::find_by_user(&db, &ann).await.unwrap(), [made]);
    assert!(daily_recommendations::delete(&db, &ann, TODAY).await.unwrap());
}
