//! The deliveries of `push-scheduler` on SQLite, PostgreSQL and MariaDB: each push goes out once, whatever
//! happens to the runs, the rules and the endpoints.

mod contents;
mod days;
mod endpoints;
mod harness;
mod kill;
mod once;
mod rules;
