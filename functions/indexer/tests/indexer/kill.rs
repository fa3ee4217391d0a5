//! An indexer that is killed: no note is lost, and no vector is doubled.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Mutex,
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use indexer::Drained;
use testing::{Kind, on_every_database};

use crate::{Desk, drain, embeddings};

on_every_database!(
    an_indexer_killed_while_the_provider_works_loses_nothing,
    an_indexer_killed_at_any_time_loses_and_doubles_nothing,
);

/// Returns the program, to be started.
pub fn program(desk: &Desk) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_indexer"));
    program
        .arg("run")
        .env("DATABASE_URL", &desk.database_url)
        .env("DATABASE_SSL_MODE", "prefer")
        .envs(desk.settings())
        .current_dir(std::env::temp_dir())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    program
}

fn start(desk: &Desk) -> Child {
    program(desk).spawn().expect("the program starts")
}

pub fn kill(mut process: Child) {
    // SIGKILL.
    process.kill().expect("it can be killed");
    process.wait().expect("it ends");
}

/// Lets the claims of the killed program end.
pub async fn pass_claims(desk: &Desk) {
    desk.server.execute("UPDATE vector_outbox SET next_attempt_at = 0").await;
}

async fn asked(is_asked: Receiver<()>) {
    let asked = tokio::task::spawn_blocking(move || is_asked.recv_timeout(Duration::from_mins(2)));
    asked.await.expect("no panic").expect("the provider is asked");
}

async fn an_indexer_killed_while_the_provider_works_loses_nothing(kind: Kind) {
    let (tell, is_asked) = channel();
    let (tell, (stop, is_stopped)) = (Mutex::new(tell), channel::<()>());
    let is_stopped = Mutex::new(is_stopped);
    let desk = Desk::start_with(kind, move |asked, before| {
        if before == 0 {
            let _ = tell.lock().expect("no panic").send(());
            let _ = is_stopped.lock().expect("no panic").recv();
        }
        embeddings(asked)
    })
    .await;
    let id = desk.write("a").await;
    let process = start(&desk);
    asked(is_asked).await;
    kill(process);
    drop(stop);
    assert_eq!(desk.pending().await, 1);
    desk.assert_vector(&id, None).await;
    pass_claims(&desk).await;
    assert_eq!(desk.drain().await, Drained { stored: 1, ..Drained::default() });
    desk.assert_vector(&id, Some("a")).await;
}

async fn an_indexer_killed_at_any_time_loses_and_doubles_nothing(kind: Kind) {
    let desk = Desk::start(kind).await;
    let mut ids = Vec::new();
    for round in 0..8_u32 {
        for n in 0..3 {
            ids.push((desk.write(&format!("{round} {n}")).await, format!("{round} {n}")));
        }
        // An edit of a memo that is indexed already, or not yet.
        let edited = ids.len() / 2;
        let text = format!("edited in {round}");
        desk.edit(&ids[edited].0, &text).await;
        ids[edited].1 = text;
        let process = start(&desk);
        // From before its first statement to after its last one.
        tokio::time::sleep(Duration::from_millis(40 * u64::from(round))).await;
        kill(process);
        pass_claims(&desk).await;
    }
    let another = desk.another(kind).await;
    drain(&another).await;
    assert_eq!(desk.pending().await, 0);
    for (id, text) in &ids {
        desk.assert_vector(id, Some(text)).await;
    }
    let count = desk.table().await.expect("a table").count().await.expect("a number");
    assert_eq!(count, ids.len() as u64);
}
