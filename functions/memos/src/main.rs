//! The Lambda function `memos`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(memos::routes())
}
