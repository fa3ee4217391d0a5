//! What lies outside: other machines and disks, behind types that a test can point elsewhere.

pub mod storage;
