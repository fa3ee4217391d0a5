//! The Lambda function `system`.

fn main() -> Result<(), shared::http::lambda::Error> {
    shared::http::lambda::serve(system::routes())
}
