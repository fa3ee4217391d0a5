//! The Lambda function `users`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(users::routes())
}
