//! The Lambda function `categories`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(categories::routes())
}
