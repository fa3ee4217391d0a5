//! `attachments`: attachments and the files of local storage (`contract/attachments.md`).

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, NoContent, Response},
};
use schemars::JsonSchema;
use serde::Serialize;
use shared::{
    Error, Result,
    dto::attachments::{
        Attachment, AttachmentPage, Details, FileForm, NewProperties, NewUpload, TicketForm, UploadTicket,
    },
    error::Code,
    http::{
        Access, Answer, App, Body, CurrentUser, Operation, Owner, Paging, Params, PathId, Query, Reply,
        RouteTable,
        download::{Download, FileAnswer, Wanted},
        upload::{self, Form, Upload},
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
pub fn routes<R: RouteTable>() -> R {
    R::default()
        .post("/api/v1/attachments/upload", Access::User, upload, "Upload a file")
        .get("/api/v1/attachments", Access::User, list, "List the attachments")
        .get("/api/v1/attachments/{attachmentId}", Access::User, get, "Get an attachment")
        .delete("/api/v1/attachments/{attachmentId}", Access::User, delete, "Delete an attachment and its file")
        .get("/api/v1/attachments/{attachmentId}/download", Access::User, download, "Download an attachment")
        .patch(
            "/api/v1/attachments/{attachmentId}/properties",
            Access::User,
            update_properties,
            "Replace the properties of an attachment",
        )
        .post("/api/v1/attachments/ba/upload", Access::Service, import, "Upload a file for a user, as a machine")
        .post("/api/v1/attachments/uploads", Access::User, reserve, "Announce a file that goes to the store")
        .post(
            "/api/v1/attachments/uploads/{attachmentId}/complete",
            Access::User,
            complete,
            "Say that an announced file has arrived",
        )
        .get("/api/v1/files/{*key}", Access::Public, read_file, "Read a file of the local store by its signed URL")
        .post("/api/v1/files/{*key}", Access::Public, write_file, "Send an announced file to the local store")
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct OneAttachment {
    message: &'static str,
    attachment: Attachment,
}

#[derive(JsonSchema, Serialize)]
#[schemars(inline)]
struct Deleted {
    message: &'static str,
}

async fn receive(app: &App, uid: &Uid, form: Form<FileForm>) -> Result<Attachment> {
    let form = upload::receive(app, form, "file", |_, _| Ok(())).await?;
    let details = Details::of_form(form.field("createdAt"), form.field("properties"));
    attachments::upload(&app.context, uid, form.into_file()?, details).await
}

async fn upload(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    form: Form<FileForm>,
) -> Result<Reply<OneAttachment>> {
    let attachment = receive(&app, &user.uid, form).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully", attachment }))
}

async fn import(
    State(app): State<App>,
    owner: Params<Owner>,
    form: Form<FileForm>,
) -> Result<Reply<OneAttachment>> {
    let Owner { uid } = owner.read()?;
    let user = repositories::users::find_by_id(&app.context.db, &uid).await?;
    user.ok_or(Error::not_found("User not found"))?;
    let attachment = receive(&app, &uid, form).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully via BA authentication", attachment }))
}

async fn list(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    params: Params<Paging<20>>,
) -> Result<Reply<AttachmentPage>> {
    let Paging(page) = params.read()?;
    Ok(Reply(attachments::list(&app.context, &user.uid, page).await?))
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
    body: Body<NewProperties>,
) -> Result<Reply<OneAttachment>> {
    let NewProperties { properties } = body.read()?;
    let attachment = attachments::update_properties(&app.context, &user.uid, &id, &properties).await?;
    Ok(Reply(OneAttachment { message: "Properties updated successfully", attachment }))
}

async fn download(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
    headers: HeaderMap,
) -> FileOrRedirect {
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
    FileOrRedirect(FileAnswer(answer.await))
}

/// The file itself, or where the bucket has it.
struct FileOrRedirect(FileAnswer);

impl IntoResponse for FileOrRedirect {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl Answer for FileOrRedirect {
    fn describe(operation: &mut Operation<'_>) {
        FileAnswer::describe(operation);
        operation.answer(302, "The file is in a bucket.");
        operation.answer_header(302, "Location", "Where it is, for a limited time.");
    }
}

async fn reserve(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    body: Body<NewUpload>,
) -> Result<Reply<UploadTicket>> {
    Ok(Reply(direct_uploads::reserve(&app.context, &user.uid, body.read()?).await?))
}

async fn complete(
    State(app): State<App>,
    CurrentUser(user): CurrentUser,
    PathId(id): PathId<AttachmentId>,
) -> Result<Reply<OneAttachment>> {
    let attachment = direct_uploads::complete(&app.context, &user.uid, &id).await?;
    Ok(Reply(OneAttachment { message: "File uploaded successfully", attachment }))
}

/// The query of a signed URL.
#[derive(JsonSchema)]
struct Signed {
    /// When the URL expires.
    expires: String,
    /// The signature.
    signature: String,
}

impl TryFrom<&Query> for Signed {
    type Error = Error;

    fn try_from(query: &Query) -> Result<Self> {
        let [expires, signature] =
            ["expires", "signature"].map(|name| query.text(name).unwrap_or_default().into());
        Ok(Self { expires, signature })
    }
}

async fn read_file(
    State(app): State<App>,
    PathId(path): PathId<String>,
    params: Params<Signed>,
    headers: HeaderMap,
) -> FileAnswer {
    let answer = async {
        let Signed { expires, signature } = params.read()?;
        let file = attachments::local_file(&app.context, &path, &expires, &signature).await?;
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
    FileAnswer(answer.await)
}

/// Takes the place of the bucket to which a form is posted, and answers like one.
async fn write_file(
    State(app): State<App>,
    PathId(path): PathId<String>,
    form: Form<TicketForm>,
) -> Result<NoContent> {
    let context = &app.context;
    let accepts =
        |_: Option<&str>, form: &Upload| direct_uploads::check_permission(context, &path, &permission_of(form)?);
    let form = upload::receive(&app, form, "file", accepts).await?;
    let permission = permission_of(&form)?;
    direct_uploads::receive(context, &path, &permission, &form.into_file()?.content).await?;
    Ok(NoContent)
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
