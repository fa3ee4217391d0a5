//! The Lambda function `search`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(search::routes())
}
