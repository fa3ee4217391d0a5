//! `attachments`: attachments and the files of local storage (`contract/attachments.md`).

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use shared::{
    Error, Result,
    dto::{
        Fields,
        attachments::{Attachment, AttachmentPage, Details, NewUpload, UploadTicket},
    },
    error::Code,
    http::{
        Access, App, CurrentUser, PathId, Query, Reply, Routes,
        download::{Download, Wanted},
        upload::{self, Upload},
    },
    ids::{AttachmentId, Uid},
    repositories,
    services::{
        attachments::{self, LocalFile},
        direct_uploads::{self, Permission},
    },
};

/// The route table.
#[must_use]
pub fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/attachments/upload", Access::User, upload)
        .get("/api/v1/attachments", Access::User, list)
        .get("/api/v1/attachments/{attachmentId}", Access::User, get)
        .delete("/api/v1/attachments/{attachmentId}", Access::User, delete)
        .get("/api/v1/attachments/{attachmentId}/download", Access::User, download)
        .patch("/api/v1/attachments/{attachmentId}/properties", Access::User, update_properties)
        .post("/api/v1/attachments/ba/upload", Access::Service, import)
        .post("/api/v1/attachments/uploads", Access::User, reserve)
        .post("/api/v1/attachments/uploads/{attachmentId}/complete", Access::User, complete)
        .get("/api/v1/files/{*key}", Access::Public, read_file)
        .post("/api/v1/files/{*key}", Access::Public, write_file)
}

#[derive(Serialize)]
struct OneAttachment {
    message: &'static str,
    attachment: Attachment,
}

#[derive(Serialize)]
struct Deleted {
    message: &'static str,
}

async fn receive(app: &App, uid: &Uid, request: Request) -> Result<Attachment> {
    let form = upload::receive(app, request, "file", |_, _| Ok(())).await?;
    let details = Details::of_form(form.field("createdAt"), form.field("properties"));
    attachments::upload(&app.context, uid, form.into_file()?, details).await
}

async fn upload(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    request: Request,
) -> Result<Reply<OneAttachment>> {
    let attachment = receive(&app, &user.uid, request).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully", attachment }))
}

async fn import(State(app): State<App>, query: Query, request: Request) -> Result<Reply<OneAttachment>> {
    let uid = query.text("uid").filter(|uid| !uid.is_empty());
    let uid = Uid::from(uid.ok_or(Error::params("User ID (uid) is required"))?);
    let user = repositories::users::find_by_id(&app.context.db, &uid).await?;
    user.ok_or(Error::not_found("User not found"))?;
    let attachment = receive(&app, &uid, request).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully via BA authentication", attachment }))
}

async fn list(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    query: Query,
) -> Result<Reply<AttachmentPage>> {
    Ok(Reply(attachments::list(&app.context, &user.uid, query.page(20)?).await?))
}

async fn get(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
) -> Result<Reply<Attachment>> {
    Ok(Reply(attachments::get(&app.context, &user.uid, &id).await?))
}

async fn delete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
) -> Result<Reply<Deleted>> {
    attachments::delete(&app.context, &user.uid, &id).await?;
    Ok(Reply(Deleted { message: "Attachment deleted successfully" }))
}

async fn update_properties(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
    body: Fields,
) -> Result<Reply<OneAttachment>> {
    let Some(Value::Object(properties)) = body.value("properties") else {
        return Err(Error::params("Properties are required"));
    };
    let attachment = attachments::update_properties(&app.context, &user.uid, &id, properties).await?;
    Ok(Reply(OneAttachment { message: "Properties updated successfully", attachment }))
}

async fn download(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
    headers: HeaderMap,
) -> Result<Response> {
    let answer = async {
        match attachments::download(&app.context, &user.uid, &id).await? {
            attachments::Download::Redirect(url) => {
                let headers = [(header::LOCATION, url.as_str()), (header::CACHE_CONTROL, "no-store")];
                Ok((StatusCode::FOUND, headers).into_response())
            }
            attachments::Download::File { media_type, disposition, size, object } => {
                let wanted = Wanted::of(&headers, size);
                let content = object.open(&app.context, wanted.range()).await?;
                let cache_control = "private, max-age=3600";
                let disposition = Some(disposition);
                let download =
                    Download { content_type: media_type, disposition, cache_control, size, wanted, content };
                Ok(download.into_response(app.config.runtime))
            }
        }
    };
    answer.await.map_err(|error| Error::NoDownload(Box::new(error)))
}

async fn reserve(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Fields,
) -> Result<Reply<UploadTicket>> {
    Ok(Reply(direct_uploads::reserve(&app.context, &user.uid, NewUpload::try_from(&body)?).await?))
}

async fn complete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
) -> Result<Reply<OneAttachment>> {
    let attachment = direct_uploads::complete(&app.context, &user.uid, &id).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully", attachment }))
}

async fn read_file(
    State(app): State<App>,
    PathId(path): PathId<String>,
    query: Query,
    headers: HeaderMap,
) -> Result<Response> {
    let answer = async {
        let [expires, signature] = ["expires", "signature"].map(|name| query.text(name).unwrap_or_default());
        let file = attachments::local_file(&app.context, &path, expires, signature).await?;
        let LocalFile { presentation, size, object } = file;
        let wanted = Wanted::of(&headers, size);
        let content = object.open(&app.context, wanted.range()).await?;
        let download = Download {
            content_type: presentation.content_type.to_owned(),
            disposition: presentation.is_download.then(|| "attachment".to_owned()),
            cache_control: "private, max-age=3600",
            size,
            wanted,
            content,
        };
        Ok(download.into_response(app.config.runtime))
    };
    answer.await.map_err(|error| Error::NoDownload(Box::new(error)))
}

/// Takes the place of the bucket to which a form is posted, and answers like one.
async fn write_file(State(app): State<App>, PathId(path): PathId<String>, request: Request) -> Result<StatusCode> {
    let context = &app.context;
    let accepts =
        |_: Option<&str>, form: &Upload| direct_uploads::check_permission(context, &path, &permission_of(form)?);
    let form = upload::receive(&app, request, "file", accepts).await?;
    let permission = permission_of(&form)?;
    direct_uploads::receive(context, &path, &permission, &form.into_file()?.content).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn permission_of(form: &Upload) -> Result<Permission> {
    let missing = || Error::from(Code::AttachmentNotFound);
    let field = |name: &str| form.field(name).ok_or_else(missing);
    Ok(Permission {
        size: field("size")?.parse().map_err(|_| missing())?,
        expires: field("expires")?.parse().map_err(|_| missing())?,
        signature: field("signature")?.to_owned(),
    })
}
