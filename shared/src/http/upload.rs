//! Receives a file in a form: onto the disk, with everything bounded that is not the file itself.

use std::{marker::PhantomData, time::Duration};

use axum::{
    body::{BodyDataStream, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use futures::StreamExt;

use super::{
    App,
    multipart::{Head, Malformed, Multipart, boundary_of},
};
use crate::{
    Error, Result, clients::storage::Spool, dto::attachments::UploadedFile, error::Code,
    services::files::clean_name,
};

/// The most bytes of all fields together.
const MAX_FIELDS: usize = 1024 * 1024;

/// The most bytes of a form beside its file.
const MAX_OVERHEAD: u64 = 2 * 1024 * 1024;

/// How much of a refused body is still read, so that a client which sends first gets to read the answer, and
/// how long a pause ends that.
const MAX_IGNORED: u64 = 64 * 1024 * 1024;
const IGNORED_PAUSE: Duration = Duration::from_secs(1);

/// A form with the fields of `T`, which the handler receives when it is time.
#[derive(Debug)]
pub struct Form<T> {
    request: Request,
    reads_as: PhantomData<fn() -> T>,
}

impl<S: Sync, T> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        Ok(Self { request, reads_as: PhantomData })
    }
}

/// A form that has arrived.
#[derive(Debug, Default)]
pub struct Upload {
    /// The file.
    pub file: Option<UploadedFile>,
    fields: Vec<(String, String)>,
}

impl Upload {
    /// Returns the text of a field; the first one if it is repeated.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns the file.
    ///
    /// # Errors
    /// Code 2 when there is none.
    pub fn into_file(self) -> Result<UploadedFile> {
        self.file.ok_or(Error::params("No file uploaded"))
    }
}

/// Receives a form with at most one file, in the field `name`. `accepts` sees the media type of the file and the
/// fields before it, and may refuse before any of it is read. A request of another content type is an empty form.
///
/// # Errors
/// Code 4000 when the file is over the limit, 4004 when the form cannot be read, 4003 when the disk fails, and
/// what `accepts` says.
pub async fn receive<T>(
    app: &App,
    form: Form<T>,
    name: &str,
    accepts: impl Fn(Option<&str>, &Upload) -> Result<()>,
) -> Result<Upload> {
    let (parts, body) = form.request.into_parts();
    let content_type =
        parts.headers.get(header::CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let Some(boundary) = boundary_of(&content_type.unwrap_or_default()) else { return Ok(Upload::default()) };
    let mut stream = body.into_data_stream();
    let limit = app.context.files.settings().max_size;
    let outcome = match boundary {
        Err(Malformed) => Err(Code::FileUpload.into()),
        Ok(_) if length_of(&parts.headers) > limit.saturating_add(MAX_OVERHEAD) => Err(Code::FileTooLarge.into()),
        Ok(boundary) => {
            let mut form = Multipart::new(stream, &boundary);
            let outcome = read(app, &mut form, name, limit, accepts).await;
            stream = form.into_rest();
            outcome
        }
    };
    ignore(stream).await;
    outcome
}

fn length_of(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.unwrap_or_default()
}

async fn read(
    app: &App,
    form: &mut Multipart<BodyDataStream>,
    name: &str,
    limit: u64,
    accepts: impl Fn(Option<&str>, &Upload) -> Result<()>,
) -> Result<Upload> {
    let mut upload = Upload::default();
    let mut size_of_fields = 0;
    while let Some(head) = form.next_part().await? {
        // An empty name is what a browser sends for a file that nobody has chosen.
        match head.filename.as_deref().filter(|filename| !filename.is_empty()) {
            Some(filename) => {
                if head.name != name || upload.file.is_some() {
                    return Err(Code::FileUpload.into());
                }
                accepts(head.media_type.as_deref(), &upload)?;
                let filename = clean_name(filename);
                let content = read_file(app, form, limit).await?;
                upload.file = Some(UploadedFile { filename, media_type: head.media_type, content });
            }
            None if head.filename.is_none() => {
                let value = read_field(form, &head, &mut size_of_fields).await?;
                upload.fields.push((head.name, value));
            }
            None => {}
        }
        if form.received() > limit.saturating_add(MAX_OVERHEAD) {
            return Err(Code::FileTooLarge.into());
        }
    }
    Ok(upload)
}

async fn read_file(app: &App, form: &mut Multipart<BodyDataStream>, limit: u64) -> Result<Spool> {
    let directory = app.context.files.settings().spool_directory();
    let mut content = Spool::create(&directory, &*app.context.random).await?;
    while let Some(chunk) = form.chunk().await? {
        if content.size() + chunk.len() as u64 > limit {
            return Err(Code::FileTooLarge.into());
        }
        content.write(&chunk).await?;
    }
    content.finish().await?;
    Ok(content)
}

async fn read_field(
    form: &mut Multipart<BodyDataStream>,
    head: &Head,
    size_of_fields: &mut usize,
) -> Result<String> {
    let mut value = Vec::new();
    *size_of_fields += head.name.len();
    while let Some(chunk) = form.chunk().await? {
        *size_of_fields += chunk.len();
        if *size_of_fields > MAX_FIELDS {
            return Err(Code::FileUpload.into());
        }
        value.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&value).into_owned())
}

/// Reads on without keeping anything.
async fn ignore(mut stream: BodyDataStream) {
    let mut ignored = 0;
    while ignored < MAX_IGNORED {
        match tokio::time::timeout(IGNORED_PAUSE, stream.next()).await {
            Ok(Some(Ok(bytes))) => ignored += Bytes::len(&bytes) as u64,
            Ok(Some(Err(_)) | None) | Err(_) => return,
        }
    }
}

impl From<Malformed> for Error {
    fn from(Malformed: Malformed) -> Self {
        Code::FileUpload.into()
    }
}
