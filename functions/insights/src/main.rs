//! The Lambda function `insights`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(insights::routes())
}
