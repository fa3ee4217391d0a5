//! The Lambda function `push-rules`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(push_rules::routes())
}
