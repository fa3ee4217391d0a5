//! The Lambda function `attachments`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(attachments::routes())
}
