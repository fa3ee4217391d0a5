//! The Lambda function `conversations`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(conversations::routes())
}
