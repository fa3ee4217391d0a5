//! Avatars (`contract/auth-user.md`, route 6 and section Avatars).

use percent_encoding::percent_decode_str;

use super::{
    files::{avatar_folder, extension, folder},
    media_types, pending_files,
};
use crate::{
    Context, Error, Result,
    clients::storage::{Location, is_safe_path},
    dto::{Patch, attachments::UploadedFile},
    error::Code,
    ids::{AttachmentId, Uid},
};

/// The longest extension of the file of an avatar.
const MAX_EXTENSION: usize = 10;

/// Refuses a file that is not declared to be an image.
///
/// # Errors
/// Code 4001.
pub fn require_image(media_type: Option<&str>) -> Result<()> {
    let is_image = media_types::declared(media_type).to_ascii_lowercase().starts_with("image/");
    if is_image { Ok(()) } else { Err(Code::UnsupportedFileType.into()) }
}

/// Stores a picture as the avatar of a user, removes the one before, and returns its access URL.
///
/// # Errors
/// Code 4003 when storage or database fail; then nothing has changed.
pub async fn upload(ctx: &Context, uid: &Uid, file: UploadedFile) -> Result<String> {
    let id = AttachmentId::new(&*ctx.random);
    let extension = extension_of(&file.filename, file.media_type.as_deref());
    let path = format!("{}/{id}.{extension}", folder(&avatar_folder(uid.as_str()), &ctx.zone, ctx.now()));
    let planned = &pending_files::planned(ctx, uid, id, path)?;
    let avatar = &Patch::Set(planned.path.clone());
    let stored = async {
        pending_files::write(ctx, planned, &file.content).await?;
        ctx.db
            .transaction(|tx| async move {
                let replaced = pending_files::replace_avatar(ctx, &tx, uid, &Patch::Keep, avatar, ctx.now());
                let replaced = replaced.await?.ok_or(Error::from(Code::UserNotFound))?;
                pending_files::refer(&tx, planned).await?;
                Ok::<_, Error>(replaced)
            })
            .await
    };
    match stored.await {
        Ok(replaced) => {
            if let Some(before) = replaced {
                pending_files::remove(ctx, &before, ctx.now()).await;
            }
            Ok(ctx.files.avatar_url(Some(&planned.path), ctx.now()))
        }
        Err(error) => {
            pending_files::abandon(ctx, planned).await;
            Err(error.or_not_stored())
        }
    }
}

/// Returns the extension of the name, else the subtype of the declared type, else `png`.
fn extension_of(filename: &str, media_type: Option<&str>) -> String {
    let media_type = media_types::declared(media_type);
    let subtype = media_type.split(';').next().and_then(|essence| essence.split_once('/'));
    let subtype = subtype.map(|(_, subtype)| format!(".{}", subtype.trim()));
    let found = extension(filename, MAX_EXTENSION);
    found.or(subtype.as_deref().and_then(|name| extension(name, MAX_EXTENSION))).unwrap_or("png").to_owned()
}

/// Returns the storage key of a stored avatar if it is one of the user's own. A full URL stands for its path
/// without the prefix.
pub(super) fn own_key(avatar: &str, uid: &Uid, location: &Location) -> Option<String> {
    let path = match avatar.split_once("://") {
        Some((_, rest)) => {
            let path = rest.split(['?', '#']).next().and_then(|rest| rest.split_once('/'))?.1;
            let path = percent_decode_str(path).decode_utf8().ok()?.into_owned();
            let prefix = location.key("");
            path.strip_prefix(&format!("{prefix}/")).map_or(path.clone(), str::to_owned)
        }
        None => avatar.to_owned(),
    };
    let path = path.trim_start_matches('/');
    let is_own = path.strip_prefix(&avatar_folder(uid.as_str())).is_some_and(|rest| rest.starts_with('/'));
    (is_own && is_safe_path(path)).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_that_of_the_name_or_of_the_type() {
        assert_eq!(extension_of("头像.JPG", Some("image/png")), "JPG");
        assert_eq!(extension_of("noext", Some("image/webp; x=y")), "webp");
        assert_eq!(extension_of("a.b/c", Some("image/svg+xml")), "png");
        assert_eq!(extension_of("a.12345678901", None), "png");
    }

    #[test]
    fn only_keys_of_the_user_are_deleted() {
        let location = Location { prefix: Some("attachments".to_owned()), ..Location::local() };
        let own = |avatar: &str| own_key(avatar, &Uid::from("u1"), &location);
        let key = Some("avatar/u1/2026-01-01/a.png".to_owned());
        assert_eq!(own("avatar/u1/2026-01-01/a.png"), key);
        assert_eq!(own("https://b.example/attachments/avatar/u1/2026-01-01/a.png?X=1"), key);
        for foreign in [
            "avatar/u2/a.png",
            "avatar/u12/a.png",
            "u1/2026-01-01/a.png",
            "avatar/u1/../u2/a.png",
            "https://img.example/a.png",
            "https://img.example",
        ] {
            assert_eq!(own(foreign), None, "{foreign}");
        }
    }
}
