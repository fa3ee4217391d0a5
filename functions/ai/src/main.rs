//! The Lambda function `ai`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(ai::routes())
}
