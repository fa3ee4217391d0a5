//! The Lambda function `tags`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(tags::routes())
}
