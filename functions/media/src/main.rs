//! The Lambda function `media`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(media::routes())
}
