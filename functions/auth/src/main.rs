//! The Lambda function `auth`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(auth::routes())
}
